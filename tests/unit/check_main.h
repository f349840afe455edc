/* Every unit test is one Check program that ends with TEST_MAIN("name", TESTS(case, ...)): a
 * main() that speaks TAP on stdout. Forking stays on, so one crash is one failed case.
 * CK_RUN_TEST=case in the environment runs that one only. */
#pragma once

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define TEST_MAIN(NAME, CASES)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const cases[] = CASES;                                                        \
        Suite *suite = suite_create(NAME);                                                         \
        TCase *tcase = tcase_create(NAME);                                                         \
        tcase_set_timeout(tcase, 60);                                                              \
        const char *only = getenv("CK_RUN_TEST");                                                  \
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)                              \
            if (only == NULL || strcmp(only, cases[i]->name) == 0)                                 \
                tcase_add_test(tcase, cases[i]);                                                   \
        suite_add_tcase(suite, tcase);                                                             \
        SRunner *runner = srunner_create(suite);                                                   \
        srunner_set_tap(runner, "-");                                                              \
        srunner_run_all(runner, CK_SILENT);                                                        \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                          \
    }

#define TESTS(...)                                                                                 \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
