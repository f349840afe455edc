/* io/transfer_log: what came from whom, on the disk. */
#include "base/log.h"
#include "io/transfer_log.h"
#include "io_test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SITE  "https://game.example"
#define OTHER "https://other.example"

static char folder[64];
static struct transfer_log *transfers;

static void open_log(uint64_t most)
{
    ck_assert_int_eq(transfer_log_open(folder, most, &transfers), ERR_OK);
}

static void set_up(uint64_t most)
{
    log_set_level(LOG_ERROR);
    strcpy(folder, "/tmp/fringe-transfers-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    open_log(most);
}

static void tear_down(void)
{
    char command[128];

    transfer_log_close(transfers);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static enum err add(const char *site, const char *path, enum transfer_kind kind, const char *peer,
                    uint64_t bytes)
{
    return transfer_log_add(transfers, &(struct transfer){.time = 1000 + bytes,
                                                          .kind = kind,
                                                          .seq = 7,
                                                          .bytes = bytes,
                                                          .size = 5000,
                                                          .site = site,
                                                          .path = path,
                                                          .peer = peer});
}

struct seen {
    size_t count;
    uint64_t first_id, last_id;
    char text[4096]; /* "kind site path peer bytes size seq time;" each */
};

static void on_line(void *user, const struct transfer *line)
{
    struct seen *seen = user;
    size_t used = strlen(seen->text);

    if (seen->count++ == 0)
        seen->first_id = line->id;
    else
        ck_assert_uint_lt(line->id, seen->last_id);
    seen->last_id = line->id;
    snprintf(seen->text + used, sizeof seen->text - used, "%s %s%s %s %llu/%llu %llu %llu;",
             transfer_kind_name(line->kind), line->site, line->path, line->peer,
             (unsigned long long)line->bytes, (unsigned long long)line->size,
             (unsigned long long)line->seq, (unsigned long long)line->time);
}

static struct seen look(const char *site, unsigned kinds, uint64_t before, uint64_t limit)
{
    struct seen seen = {0};
    struct transfer_filter filter = {site, kinds, before, limit};

    ck_assert_int_eq(transfer_log_each(transfers, &filter, on_line, &seen), ERR_OK);
    return seen;
}

static bool file_has(const char *end, const char *text)
{
    char command[256];

    snprintf(command, sizeof command, "grep -qs '%s' %s/transfers.sqlite%s", text, folder, end);
    return system(command) == 0;
}

START_TEST(lines_come_newest_first_and_survive)
{
    set_up(100);
    ck_assert_int_eq(add(SITE, "/a", TRANSFER_PEERS, "192.0.2.1:6881", 10), ERR_OK);
    ck_assert_int_eq(add(SITE, "/b", TRANSFER_SHARED, "[2001:db8::1]:6881", 20), ERR_OK);
    static const char *const wanted = "shared " SITE "/b [2001:db8::1]:6881 20/5000 7 1020;"
                                      "peers " SITE "/a 192.0.2.1:6881 10/5000 7 1010;";
    ck_assert_str_eq(look(NULL, 0, 0, 10).text, wanted);
    transfer_log_close(transfers);
    open_log(100);
    ck_assert_str_eq(look(NULL, 0, 0, 10).text, wanted);
    tear_down();
}
END_TEST

START_TEST(pieces_of_a_file_are_one_line)
{
    set_up(100);
    for (int i = 0; i < 5; i++) {
        add(SITE, "/a", TRANSFER_PEERS, "x", 10);
        add(SITE, "/a", TRANSFER_PEERS, "y", 10);
        add(SITE, "/a", TRANSFER_ORIGIN, "", 10);
        add(OTHER, "/a", TRANSFER_PEERS, "x", 10);
    }
    ck_assert_str_eq(look(NULL, 0, 0, 10).text,
                     "peers " OTHER "/a x 50/5000 7 1010;origin " SITE "/a  50/5000 7 1010;"
                     "peers " SITE "/a y 50/5000 7 1010;peers " SITE "/a x 50/5000 7 1010;");
    tear_down();
}
END_TEST

START_TEST(pages_and_filters)
{
    char path[16];

    set_up(1000);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "/%u", i);
        ck_assert_int_eq(
            add(i % 3 ? SITE : OTHER, path, i % 2 ? TRANSFER_ORIGIN : TRANSFER_CACHE, "", 1),
            ERR_OK);
    }
    size_t total = 0;
    uint64_t before = 0;
    for (;;) {
        struct seen page = look(NULL, 0, before, 70);
        if (page.count == 0)
            break;
        if (before != 0)
            ck_assert_uint_lt(page.first_id, before);
        total += page.count;
        before = page.last_id;
    }
    ck_assert_uint_eq(total, 300);
    ck_assert_uint_eq(look(OTHER, 0, 0, 200).count, 100);
    ck_assert_uint_eq(look(SITE, 1u << TRANSFER_ORIGIN, 0, 200).count, 100);
    ck_assert_uint_eq(look(NULL, 1u << TRANSFER_ORIGIN | 1u << TRANSFER_CACHE, 0, 200).count, 200);
    ck_assert_uint_eq(look(NULL, 1u << TRANSFER_SHARED, 0, 200).count, 0);
    ck_assert_uint_eq(look("' OR 1=1 --", 0, 0, 200).count, 0);
    tear_down();
}
END_TEST

START_TEST(the_oldest_go)
{
    char path[16];

    set_up(150);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/%u", i);
        ck_assert_int_eq(add(SITE, path, TRANSFER_PEERS, "x", 1), ERR_OK);
    }
    struct seen seen = look(NULL, 0, 0, 200);
    ck_assert_uint_eq(seen.count, 150);
    ck_assert_uint_eq(seen.first_id, 1000);
    tear_down();
}
END_TEST

START_TEST(a_site_is_forgotten_whole)
{
    set_up(100);
    add(SITE, "/secret-written", TRANSFER_PEERS, "x", 1);
    add(OTHER, "/kept", TRANSFER_PEERS, "x", 1);
    ck_assert_int_eq(transfer_log_flush(transfers), ERR_OK);
    add(SITE, "/secret-waiting", TRANSFER_PEERS, "x", 1);
    ck_assert(file_has("-wal", "secret-written"));
    ck_assert_int_eq(transfer_log_clear(transfers, SITE), ERR_OK);
    ck_assert_str_eq(look(NULL, 0, 0, 10).text, "peers " OTHER "/kept x 1/5000 7 1001;");
    ck_assert(!file_has("", "secret"));
    ck_assert(!file_has("-wal", "secret"));
    ck_assert_int_eq(transfer_log_clear(transfers, NULL), ERR_OK);
    ck_assert_uint_eq(look(NULL, 0, 0, 10).count, 0);
    add(SITE, "/a", TRANSFER_PEERS, "x", 1);
    ck_assert_uint_gt(look(NULL, 0, 0, 10).first_id, 2); /* a page at hand meets no old number */
    tear_down();
}
END_TEST

START_TEST(what_is_over_a_cap_is_refused)
{
    char longest[LIMIT_PATH + 2];

    set_up(100);
    memset(longest, 'a', sizeof longest);
    longest[LIMIT_PATH + 1] = '\0';
    ck_assert_int_eq(add(SITE, longest, TRANSFER_PEERS, "x", 1), ERR_RANGE);
    ck_assert_int_eq(add(longest, "/", TRANSFER_PEERS, "x", 1), ERR_RANGE);
    ck_assert_int_eq(add(SITE, "/", TRANSFER_PEERS, longest, 1), ERR_RANGE);
    ck_assert_int_eq(add(SITE, "/", TRANSFER_KIND_COUNT_, "x", 1), ERR_RANGE);
    ck_assert_int_eq(add(SITE, "/", TRANSFER_PEERS, "x", UINT64_MAX), ERR_RANGE);
    static const struct transfer_filter filters[] = {
        {.limit = 0},
        {.limit = LIMIT_LOG_PAGE + 1},
        {.limit = 1, .before = UINT64_MAX},
        {.limit = 1, .kinds = 1u << TRANSFER_KIND_COUNT_},
    };
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        struct seen seen = {0};
        ck_assert_int_eq(transfer_log_each(transfers, &filters[i], on_line, &seen), ERR_RANGE);
    }
    ck_assert_uint_eq(look(NULL, 0, 0, 10).count, 0);
    tear_down();
}
END_TEST

static void overwrite(const char *text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/transfers.sqlite", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 5000; i++)
        fputs(text, file);
    fclose(file);
}

START_TEST(a_broken_file_is_begun_anew)
{
    set_up(100);
    add(SITE, "/a", TRANSFER_PEERS, "x", 1);
    transfer_log_close(transfers);
    overwrite("garbage ");
    log_set_level(LOG_ERROR);
    open_log(100);
    ck_assert_uint_eq(look(NULL, 0, 0, 10).count, 0);
    ck_assert_int_eq(add(SITE, "/a", TRANSFER_PEERS, "x", 1), ERR_OK);
    ck_assert_uint_eq(look(NULL, 0, 0, 10).count, 1);
    tear_down();
}
END_TEST

START_TEST(a_foreign_file_brings_no_trigger)
{
    char path[128];
    sqlite3 *db;

    set_up(100);
    transfer_log_close(transfers);
    snprintf(path, sizeof path, "%s/transfers.sqlite", folder);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db,
                                  "CREATE TRIGGER t AFTER INSERT ON transfer BEGIN "
                                  "DELETE FROM transfer; END",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    open_log(100);
    add(SITE, "/a", TRANSFER_PEERS, "x", 1);
    ck_assert_uint_eq(look(NULL, 0, 0, 10).count, 1);
    tear_down();
}
END_TEST

START_TEST(without_a_folder_there_is_none)
{
    struct transfer_log *none = NULL;

    log_set_level(LOG_ERROR);
    ck_assert_int_ne(transfer_log_open("/tmp/fringe-there-is-no-such-folder", 10, &none), ERR_OK);
    ck_assert_ptr_null(none);
    transfer_log_close(none);
}
END_TEST

TEST_MAIN("io/transfer_log",
          TESTS(lines_come_newest_first_and_survive, pieces_of_a_file_are_one_line,
                pages_and_filters, the_oldest_go, a_site_is_forgotten_whole,
                what_is_over_a_cap_is_refused, a_broken_file_is_begun_anew,
                a_foreign_file_brings_no_trigger, without_a_folder_there_is_none))
