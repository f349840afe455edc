/* Runs a fuzz target over its corpus, one TAP line a file, so that every input that once
 * mattered is tested in the ordinary run. Usage: replay_NAME [DIR] */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    /* An exact allocation, so that the sanitizer sees a read past the end. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    int rc = data != NULL && fread(data, 1, size, file) == size ? 0 : -1;
    fclose(file);
    if (rc == 0)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return rc;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : CORPUS;
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, not_hidden, alphasort);
    int failed = n <= 0; /* an empty corpus tests nothing */

    printf("1..%d\n", n > 0 ? n : 1);
    if (n <= 0)
        printf("not ok 1 - no corpus in %s\n", dir);
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        int rc = replay_file(path);
        printf("%sok %d - %s\n", rc == 0 ? "" : "not ", i + 1, entries[i]->d_name);
        fflush(stdout);
        failed |= rc != 0;
        free(entries[i]);
    }
    free(entries);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
