/* io/store: what was recorded is there again, and nothing else is. */
#include "io/store_private.h"
#include "store_fixture.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define PIECE KIB(64)

/* 9 + 1 + 1 + 2 = 13 pieces; an empty file; the last two have one content. */
static struct fixture *some_files(void)
{
    struct fixture *fixture = fixture_new(PIECE);

    fixture_file(fixture, 8 * PIECE + 100, 1);
    fixture_file(fixture, 0, 2);
    fixture_file(fixture, 20000, 3);
    fixture_file(fixture, PIECE, 4);
    fixture_file(fixture, PIECE + 1, 5);
    return fixture;
}

START_TEST(pieces_are_remembered)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());
    struct bitfield have;
    struct store_totals totals;

    ck_assert_uint_eq(have_count(fixture, store), 0);
    ck_assert_int_eq(fixture_write(fixture, store, 0, 3), ERR_OK);
    ck_assert_int_eq(fixture_write(fixture, store, 0, 8), ERR_OK);
    ck_assert_int_eq(fixture_write(fixture, store, 2, 0), ERR_OK);
    ck_assert_uint_eq(have_count(fixture, store), 3); /* before it is recorded, too */
    ck_assert_int_eq(store_flush(store), ERR_OK);
    totals = store_totals(store);
    ck_assert_uint_eq(totals.files, 1);
    ck_assert_uint_eq(totals.bytes, PIECE + 100 + 20000);
    store_close(store);
    store = store_at(folder);
    ck_assert_int_eq(store_load_have(store, &fixture->meta, &have), ERR_OK);
    ck_assert_uint_eq(have.count, 3);
    ck_assert(bitfield_get(&have, 3) && bitfield_get(&have, 8));
    ck_assert(bitfield_get(&have, fixture->files[2].first_piece));
    bitfield_done(&have);
    ck_assert_uint_eq(store_totals(store).bytes, totals.bytes);
    ck_assert_uint_eq(store_totals(store).files, 1);
    fixture_write_all(fixture, store);
    store_close(store);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    ck_assert_uint_eq(store_totals(store).files, 4);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(files_and_folders_are_private)
{
    struct fixture *fixture = some_files();
    struct store *store;
    struct stat status;

    umask(0);
    folder_new();
    store = store_at(folder_path("a/b"));
    ck_assert_int_eq(fixture_write(fixture, store, 2, 0), ERR_OK);
    ck_assert_int_eq(stat(folder_path("a/b"), &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0700);
    ck_assert_int_eq(stat(folder_path("a/b/index.sqlite"), &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(equal_files_share_one_content)
{
    struct fixture *fixture = fixture_new(PIECE), *other = fixture_new(2 * PIECE);
    struct store *store = store_at(folder_new());

    fixture_file(fixture, 3 * PIECE, 1);
    fixture_file(fixture, 3 * PIECE, 1);
    fixture_file(other, 3 * PIECE, 1); /* the same with other pieces */
    ck_assert_mem_eq(fixture->files[0].root, other->files[0].root, HASH_LENGTH);
    fixture_write(fixture, store, 0, 0);
    fixture_write(fixture, store, 0, 1);
    ck_assert_uint_eq(have_count(fixture, store), 4);
    ck_assert_uint_eq(have_count(other, store), 0); /* in hand, in other units */
    fixture_write(fixture, store, 1, 2);
    ck_assert_uint_eq(have_count(fixture, store), 6);
    ck_assert_uint_eq(have_count(other, store), 2);
    store_close(store);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(other, store), 2);
    store_close(store);
    fixture_free(fixture);
    fixture_free(other);
    folder_done();
}
END_TEST

START_TEST(other_piece_lengths_of_a_part_are_verified_again)
{
    struct fixture *fixture = fixture_new(PIECE), *other = fixture_new(2 * PIECE);
    struct store *store = store_at(folder_new());

    fixture_file(fixture, 5 * PIECE, 1);
    fixture_file(other, 5 * PIECE, 1);
    for (uint32_t i = 1; i < 5; i++)
        fixture_write(fixture, store, 0, i);
    store_close(store);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(other, store), 2); /* 2+3 and 4; 0 is missing in the first */
    ck_assert_int_eq(fixture_write(other, store, 0, 0), ERR_OK);
    ck_assert_uint_eq(have_count(fixture, store), 5);
    store_close(store);
    fixture_free(fixture);
    fixture_free(other);
    folder_done();
}
END_TEST

START_TEST(a_torrent_that_lies_about_a_length_costs_nothing)
{
    struct fixture *fixture = some_files();
    struct metainfo_file lie = bare(fixture, 0);
    struct store *store = store_at(folder_new());
    int fd;

    fixture_write_all(fixture, store);
    lie.length -= 50;
    ck_assert_int_eq(store_fd(store, &lie, PIECE, &fd), ERR_MISMATCH);
    store_mark_piece(store, &lie, PIECE, 0);
    store_close(store);
    store = store_at(folder);
    ck_assert_int_eq(store_fd(store, &lie, PIECE, &fd), ERR_MISMATCH);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(a_lie_that_came_first_gives_way)
{
    struct fixture *fixture = some_files();
    struct metainfo_file lie = bare(fixture, 0);
    struct store *store = store_at(folder_new());
    int fd;

    lie.length += 5000;
    ck_assert_int_eq(store_fd(store, &lie, PIECE, &fd), ERR_OK);
    ck_assert_int_eq(pwrite(fd, "xx", 2, 0), 2);
    store_mark_piece(store, &lie, PIECE, 0);
    fixture_write_all(fixture, store);
    store_close(store);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

/* --- what others did to the files */

static void change_file(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 0x20;
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

START_TEST(a_changed_byte_is_found_before_use)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());
    struct metainfo_file big = bare(fixture, 0), small = bare(fixture, 2);
    struct bitfield have;
    int fd;

    fixture_write_all(fixture, store);
    store_close(store);
    change_file(content_path(fixture, 0), 3 * PIECE + 17);
    change_file(content_path(fixture, 2), 0);
    store = store_at(folder);
    ck_assert_int_eq(store_load_have(store, &fixture->meta, &have), ERR_OK);
    ck_assert_uint_eq(have.count, fixture->meta.piece_count - 2);
    ck_assert(!bitfield_get(&have, 3));
    bitfield_done(&have);
    ck_assert_uint_eq(store_totals(store).files, 2);
    /* and is mended */
    ck_assert_int_eq(fixture_write(fixture, store, 0, 3), ERR_OK);
    ck_assert_int_eq(fixture_write(fixture, store, 2, 0), ERR_OK);
    store_close(store);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    store_close(store);
    /* The same after it was loaded, when it is opened: refused until it is loaded again. */
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    change_file(content_path(fixture, 0), 3 * PIECE + 17);
    change_file(content_path(fixture, 2), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(store_fd(store, &big, PIECE, &fd), ERR_MISMATCH);
        ck_assert_int_eq(store_fd(store, &small, PIECE, &fd), ERR_MISMATCH);
        store_flush(store);
    }
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count - 2);
    ck_assert_int_eq(store_fd(store, &big, PIECE, &fd), ERR_OK);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(a_truncated_or_missing_file_is_found)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());

    fixture_write_all(fixture, store);
    store_close(store);
    ck_assert_int_eq(truncate(content_path(fixture, 0), 2 * PIECE), 0);
    ck_assert_int_eq(unlink(content_path(fixture, 3)), 0);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), 5); /* what is left of it is right */
    fixture_write_all(fixture, store);
    store_close(store);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(something_else_in_a_files_place)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());

    fixture_write_all(fixture, store);
    store_close(store);
    ck_assert_int_eq(unlink(content_path(fixture, 0)), 0);
    ck_assert_int_eq(symlink("/etc/passwd", content_path(fixture, 0)), 0);
    ck_assert_int_eq(unlink(content_path(fixture, 2)), 0);
    ck_assert_int_eq(mkfifo(content_path(fixture, 2), 0600), 0);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), 3);
    ck_assert_int_eq(fixture_write(fixture, store, 0, 0), ERR_IO);
    ck_assert_int_eq(fixture_write(fixture, store, 2, 0), ERR_IO);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

/* --- what others did to the index */

static void run_sql(const char *text)
{
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(folder_path("index.sqlite"), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static sqlite3_int64 ask_sql(const char *text)
{
    sqlite3_stmt *statement;
    sqlite3_int64 number;
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(folder_path("index.sqlite"), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

START_TEST(another_boot_makes_unsynced_files_be_verified)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());

    fixture_write_all(fixture, store);
    store_close(store);
    ck_assert_int_eq(ask_sql("SELECT min(synced) FROM file"), 1);
    /* Bits that the content does not bear out: as after a power cut. */
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    store_close(store);
    change_file(content_path(fixture, 0), 5 * PIECE);
    {
        struct stat status;
        char text[200];

        ck_assert_int_eq(stat(content_path(fixture, 0), &status), 0);
        snprintf(text, sizeof text,
                 "UPDATE file SET mtime_ns = %lld, synced = 0, boot = zeroblob(16) "
                 "WHERE length = %u",
                 (long long)store_mtime_ns(&status), 8 * PIECE + 100);
        run_sql(text);
    }
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count - 1);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(impossible_rows_are_not_believed)
{
    static const char *const lies[] = {
        "UPDATE file SET length = -1",
        "UPDATE file SET length = 1 << 50",
        "UPDATE file SET piece_length = 3",
        "UPDATE file SET piece_length = 0",
        "UPDATE file SET have = x'ffffffff'",
        "UPDATE file SET have = x'ffff' WHERE length > 500000", /* spare bits set */
        "UPDATE file SET boot = x'', synced = 7",
        "UPDATE file SET bytes = -5",
        "UPDATE file SET bytes = bytes - 1",
        "UPDATE file SET have = x'ff00'  WHERE length > 500000",
        "UPDATE file SET size = 0",
        "DELETE FROM file",
        "UPDATE site SET zone = 9",
        "UPDATE site SET key = x'00'",
        "UPDATE site SET seq = -1",
        "UPDATE site SET release = zeroblob(70000)",
        "UPDATE site SET site = ''",
    };
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());

    fixture_write_all(fixture, store);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct store_site site = {.site = "https://a.example", .zone = ZONE_SHARE};

        ck_assert_int_eq(store_save_site(store, &site), ERR_OK);
        store_close(store);
        run_sql(lies[i]);
        store = store_at(folder);
        /* The content is there, so it is found by verification whatever the row says. */
        ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    }
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

struct seen {
    unsigned count;
    char order[64]; /* the first letter of each name, of as many as fit */
    struct store_site last;
    uint8_t release[8];
};

static void on_site(void *user, const struct store_site *site)
{
    struct seen *seen = user;

    if (seen->count < sizeof seen->order - 1 && strlen(site->site) > 8)
        seen->order[seen->count] = site->site[8];
    seen->count++;
    seen->last = *site;
    if (site->release.length == 8)
        memcpy(seen->release, site->release.data, 8);
}

static void never_called(void *user, const struct store_site *site)
{
    (void)user;
    (void)site;
    ck_abort_msg("a site from a row that cannot be right");
}

START_TEST(impossible_sites_are_not_told)
{
    static const char *const lies[] = {
        "UPDATE site SET zone = 9",
        "UPDATE site SET zone = -1",
        "UPDATE site SET key = x'00'",
        "UPDATE site SET seq = -1",
        "UPDATE site SET seq = 1 << 60",
        "UPDATE site SET release = zeroblob(70000)",
        "UPDATE site SET signature = zeroblob(70000)",
        "UPDATE site SET site = ''",
        "UPDATE site SET site = printf('%.*c', 300, 'a')",
        "UPDATE site SET site = 'https://a' || char(0) || 'b'",
    };
    struct store *store = store_at(folder_new());

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct store_site site = {.site = "https://a.example", .zone = ZONE_SHARE};

        ck_assert_int_eq(store_save_site(store, &site), ERR_OK);
        store_close(store);
        run_sql(lies[i]);
        store = store_at(folder);
        ck_assert_int_eq(store_each_site(store, never_called, NULL), ERR_OK);
        store_close(store);
        run_sql("DELETE FROM site");
        store = store_at(folder);
    }
    store_close(store);
    folder_done();
}
END_TEST

static void spoil(const char *name, const char *text, off_t at)
{
    int fd = open(folder_path(name), O_WRONLY | O_CREAT, 0600);

    ck_assert_int_ge(fd, 0);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(pwrite(fd, text, strlen(text), at + i * 100), (ssize_t)strlen(text));
    close(fd);
}

START_TEST(a_broken_index_is_moved_aside)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());

    fixture_write_all(fixture, store);
    store_close(store);
    for (off_t at = 0; at <= 8192; at += 4096) {
        unlink(folder_path("index.sqlite.corrupt"));
        spoil("index.sqlite", "this is not a page of a database", at);
        store = store_at(folder);
        ck_assert_int_eq(access(folder_path("index.sqlite.corrupt"), F_OK), 0);
        ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
        store_close(store);
    }
    /* Not ours, though sound: a trigger, another table, a missing one. */
    run_sql("CREATE TRIGGER t AFTER UPDATE ON site BEGIN DELETE FROM file; END");
    unlink(folder_path("index.sqlite.corrupt"));
    store_close(store_at(folder));
    ck_assert_int_eq(access(folder_path("index.sqlite.corrupt"), F_OK), 0);
    run_sql("DROP TABLE torrent");
    unlink(folder_path("index.sqlite.corrupt"));
    store_close(store_at(folder));
    ck_assert_int_eq(access(folder_path("index.sqlite.corrupt"), F_OK), 0);
    run_sql("PRAGMA user_version = 6");
    ck_assert_int_eq(store_open(folder, &store), ERR_UNSUPPORTED);
    fixture_free(fixture);
    folder_done();
}
END_TEST

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static uint64_t seed_of_test(void)
{
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) ^ getpid();

    fprintf(stderr, "# TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void flip_bytes(const char *path, unsigned count)
{
    struct stat status;

    ck_assert_int_eq(stat(path, &status), 0);
    for (unsigned i = 0; i < count; i++)
        change_file(path, draw((uint32_t)status.st_size));
}

/* Whatever is in the index, the store opens or says why not, and what it then says of a file
 * whose content is there can be used. */
START_TEST(flipped_bytes_in_the_index_do_no_harm)
{
    struct fixture *fixture = some_files();
    uint64_t seed = seed_of_test();

    for (uint32_t i = 0; i < 200; i++)
        fixture_file(fixture, 1000 + i, 100 + i);
    for (unsigned round = 0; round < 40; round++) {
        struct store_site site = {.site = "https://a.example", .zone = ZONE_SHARE};
        struct store *store = store_at(folder_new());
        struct buf buf;

        state = seed + round;
        fixture_write_all(fixture, store);
        store_save_site(store, &site);
        store_save_torrent(store, fixture->files[0].root, span_of(fixture->content[0], 5000));
        store_close(store);
        flip_bytes(folder_path("index.sqlite"), 1 + draw(20));
        if (store_open(folder, &store) == ERR_OK) {
            struct seen seen = {0};

            have_count(fixture, store);
            buf_init(&buf, MIB(1));
            store_load_torrent(store, fixture->files[0].root, &buf);
            buf_done(&buf);
            store_each_site(store, on_site, &seen);
            fixture_write(fixture, store, 0, draw(9));
            store_save_site(store, &site);
            store_flush(store);
            store_flush(store); /* begun anew, if it was found broken */
            ck_assert_uint_gt(have_count(fixture, store), 0);
            store_close(store);
        }
        folder_done();
    }
    fixture_free(fixture);
}
END_TEST

START_TEST(an_index_that_breaks_under_way_is_begun_anew)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());
    struct store_site site = {.site = "https://a.example", .zone = ZONE_SHARE};

    fixture_write_all(fixture, store);
    ck_assert_int_eq(store_flush(store), ERR_OK);
    store->db_broken = true; /* as a read of a broken page says */
    ck_assert_int_eq(store_flush(store), ERR_OK);
    ck_assert_int_eq(store_save_site(store, &site), ERR_OK);
    ck_assert_uint_eq(store_totals(store).files, 4);
    store_close(store);
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

/* --- the machine */

START_TEST(one_daemon_at_a_time)
{
    struct store *first = store_at(folder_new()), *second = NULL;

    ck_assert_int_eq(store_open(folder, &second), ERR_BUSY);
    ck_assert_ptr_null(second);
    store_close(first);
    store_close(store_at(folder));
    folder_done();
}
END_TEST

START_TEST(folders_that_cannot_be_are_refused)
{
    struct store *store = NULL;

    folder_new();
    spoil("file", "x", 0);
    ck_assert_int_eq(store_open(folder_path("file/below"), &store), ERR_IO);
    ck_assert_int_eq(store_open(folder_path("file"), &store), ERR_IO);
    ck_assert_int_eq(store_open("", &store), ERR_IO);
    ck_assert_int_eq(store_open("/proc/fringe", &store), ERR_IO); /* not even root */
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(folder, 0500), 0);
        ck_assert_int_eq(store_open(folder, &store), ERR_IO);
        ck_assert_int_eq(chmod(folder, 0700), 0);
    }
    ck_assert_int_eq(mkdir(folder_path("index.sqlite"), 0700), 0); /* this one gives way */
    ck_assert_int_eq(store_open(folder, &store), ERR_OK);
    store_close(store);
    ck_assert_int_eq(access(folder_path("index.sqlite.corrupt"), F_OK), 0);
    folder_done();
}
END_TEST

START_TEST(no_room_is_known_before)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());
    const struct rlimit little = {4 * PIECE, RLIM_INFINITY},
                        plenty = {RLIM_INFINITY, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(fixture_write(fixture, store, 2, 0), ERR_OK);
    ck_assert_int_eq(store_flush(store), ERR_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    ck_assert_int_eq(fixture_write(fixture, store, 0, 0), ERR_NO_SPACE);
    ck_assert_int_eq(access(content_path(fixture, 0), F_OK), -1);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &plenty), 0);
    ck_assert_int_eq(fixture_write(fixture, store, 0, 0), ERR_OK);
    ck_assert_uint_eq(have_count(fixture, store), 2);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(a_batch_that_fails_is_kept)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());
    sqlite3 *other;

    fixture_write_all(fixture, store);
    ck_assert_int_eq(sqlite3_open(folder_path("index.sqlite"), &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(store_flush(store), ERR_BUSY);
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    ck_assert_int_eq(store_flush(store), ERR_OK);
    store_close(store);
    ck_assert_int_eq(ask_sql("SELECT count(*) FROM file WHERE have IS NULL"), 4);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(content_is_synced_behind_the_loop)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());

    store->sync_ms = 0;
    fixture_write_all(fixture, store);
    ck_assert_int_eq(store_flush(store), ERR_OK);
    for (int i = 0; i < 500 && ask_sql("SELECT min(synced) FROM file") == 0; i++) {
        usleep(10000);
        ck_assert_int_eq(store_flush(store), ERR_OK);
    }
    ck_assert_int_eq(ask_sql("SELECT min(synced) FROM file"), 1);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(what_has_just_come_is_not_synced_yet)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());

    ck_assert(!store_waits_for_sync(store));
    fixture_write_all(fixture, store);
    ck_assert_int_eq(store_flush(store), ERR_OK);
    ck_assert(store->sync == NULL); /* though there has been no sync before */
    ck_assert(store_waits_for_sync(store));
    store->unsynced_since_ms -= STORE_SYNC_MS;
    ck_assert_int_eq(store_flush(store), ERR_OK);
    ck_assert(store->sync != NULL);
    ck_assert(store_waits_for_sync(store));
    store_sync_wait(store);
    ck_assert(!store_waits_for_sync(store));
    ck_assert_int_eq(ask_sql("SELECT min(synced) FROM file"), 1);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(the_log_of_the_index_stays_short)
{
    struct store *store = store_at(folder_new());
    uint8_t infohash[HASH_LENGTH] = {0};
    uint8_t *data = mem_zalloc(MIB(1));
    struct stat status = {0};

    store->sync_ms = 0;
    for (unsigned i = 0; i < 100; i++) {
        infohash[0] = (uint8_t)(i % 4);
        data[i] = 1;
        ck_assert_int_eq(store_save_torrent(store, infohash, span_of(data, MIB(1))), ERR_OK);
        ck_assert_int_eq(store_flush(store), ERR_OK);
        if (i % 10 == 9) /* the loop is elsewhere, the thread works */
            store_sync_wait(store);
    }
    ck_assert_int_eq(stat(folder_path("index.sqlite-wal"), &status), 0);
    ck_assert_int_le(status.st_size, MIB(64) + MIB(4)); /* and what one commit adds */
    ck_assert_int_eq(stat(folder_path("index.sqlite"), &status), 0);
    ck_assert_int_ge(status.st_size, MIB(4));
    store_close(store);
    store_close(store_at(folder));
    mem_free(data);
    folder_done();
}
END_TEST

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned open_fds(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(thousands_of_small_files)
{
    struct fixture *fixture = fixture_new(PIECE);
    struct store *store = store_at(folder_new());
    unsigned before = open_fds();
    double begin;

    for (uint32_t i = 0; i < 2000; i++)
        fixture_file(fixture, 3000 + i, i);
    begin = seconds();
    fixture_write_all(fixture, store);
    store_flush(store);
    fprintf(stderr, "# 2,000 files written in %.0f ms\n", (seconds() - begin) * 1e3);
    ck_assert_uint_le(open_fds() - before, STORE_FDS);
    store_close(store);
    store = store_at(folder);
    begin = seconds();
    ck_assert_uint_eq(have_count(fixture, store), 2000);
    fprintf(stderr, "# looked up in %.1f ms\n", (seconds() - begin) * 1e3);
    ck_assert_uint_le(open_fds() - before, STORE_FDS);
    /* All at once: descriptors stay bounded, pinned ones stay open. */
    for (uint32_t i = 0; i < 2000; i++) {
        struct metainfo_file file = bare(fixture, i);
        uint8_t byte;
        int fd;

        ck_assert_int_eq(store_fd(store, &file, PIECE, &fd), ERR_OK);
        ck_assert_int_eq(pread(fd, &byte, 1, 10), 1);
        ck_assert_uint_eq(byte, fixture->content[i][10]);
        if (i == 5)
            store_pin(store, file.root);
    }
    ck_assert_uint_le(open_fds() - before, STORE_FDS_MAX + 8);
    ck_assert_int_ge(store_file_find(store, fixture->files[5].root)->fd, 0);
    store_unpin(store, fixture->files[5].root);
    store_unpin(store, fixture->files[5].root); /* once too often does nothing */
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

/* --- sites and torrents */

START_TEST(sites_and_torrents_are_remembered)
{
    struct store *store = store_at(folder_new());
    struct store_site site = {.site = "https://a.example", .zone = ZONE_FETCH, .seq = 7};
    struct seen seen = {0};
    uint8_t infohash[HASH_LENGTH] = {1, 2, 3};
    struct buf buf;

    ck_assert_int_eq(store_each_site(store, on_site, &seen), ERR_OK);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_int_eq(store_save_site(store, &site), ERR_OK);
    site.site = "https://b.example";
    site.zone = ZONE_DEFAULT;
    site.has_key = true;
    memset(&site.key, 0x5a, sizeof site.key);
    site.seq = (UINT64_C(1) << 53) - 1;
    site.release = span_text("release!");
    site.signature = span_text("signature");
    ck_assert_int_eq(store_save_site(store, &site), ERR_OK);
    site.seq++;
    ck_assert_int_eq(store_save_site(store, &site), ERR_RANGE);
    site.seq = 8;
    site.release.length = LIMIT_RELEASE + 1;
    ck_assert_int_eq(store_save_site(store, &site), ERR_RANGE);
    buf_init(&buf, 1000);
    ck_assert_int_eq(store_load_torrent(store, infohash, &buf), ERR_NOT_FOUND);
    ck_assert_int_eq(store_save_torrent(store, infohash, span_text("d4:infoe")), ERR_OK);
    ck_assert_int_eq(store_save_torrent(store, infohash, span_text("")), ERR_TOO_LARGE);
    store_close(store);

    store = store_at(folder);
    ck_assert_int_eq(store_each_site(store, on_site, &seen), ERR_OK);
    ck_assert_uint_eq(seen.count, 2);
    ck_assert_str_eq(seen.order, "ba"); /* most recently used first */
    ck_assert_int_eq(seen.last.zone, ZONE_FETCH);
    ck_assert_uint_eq(seen.last.seq, 7);
    ck_assert(!seen.last.has_key);
    ck_assert_ptr_null(seen.last.release.data);
    ck_assert_mem_eq(seen.release, "release!", 8);
    ck_assert_int_eq(store_load_torrent(store, infohash, &buf), ERR_OK);
    ck_assert(span_is(span_of(buf.data, buf.length), "d4:infoe"));
    buf_done(&buf);
    buf_init(&buf, 3);
    ck_assert_int_eq(store_load_torrent(store, infohash, &buf), ERR_TOO_LARGE);
    buf_done(&buf);
    store_close(store);
    folder_done();
}
END_TEST

START_TEST(sites_have_a_cap_and_choices_are_kept_longest)
{
    struct store *store = store_at(folder_new());
    struct seen seen = {0};
    char name[32];
    struct store_site site = {.site = "https://chosen.example", .zone = ZONE_SHARE};

    ck_assert_int_eq(store_save_site(store, &site), ERR_OK);
    site.site = name;
    site.zone = ZONE_DEFAULT;
    sqlite3_exec(store->db, "BEGIN", NULL, NULL, NULL); /* only for speed */
    for (unsigned i = 0; i < LIMIT_SITES + 10; i++) {
        snprintf(name, sizeof name, "https://%u.example", i);
        if (i % 1000 == 0 || i >= LIMIT_SITES - 2)
            ck_assert_int_eq(store_save_site(store, &site), ERR_OK);
        else
            ck_assert_int_eq(sqlite3_exec(store->db,
                                          "INSERT INTO site (site, zone, seq, last_used) "
                                          "VALUES ('https://' || hex(randomblob(8)), 3, 0, 1)",
                                          NULL, NULL, NULL),
                             SQLITE_OK);
    }
    sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    ck_assert_int_eq(store_each_site(store, on_site, &seen), ERR_OK);
    ck_assert_uint_eq(seen.count, LIMIT_SITES);
    store_close(store);
    ck_assert_int_eq(ask_sql("SELECT count(*) FROM site WHERE zone = 2"), 1);
    folder_done();
}
END_TEST

/* --- kill -9 */

_Noreturn static void work_until_killed(struct fixture *fixture)
{
    struct store *store = NULL;

    if (store_open(folder, &store) != ERR_OK)
        _exit(1);
    if (draw(2) == 0)
        have_count(fixture, store);
    for (;;) {
        uint32_t index = draw(fixture->meta.file_count);

        if (fixture->files[index].pieces > 0)
            fixture_write(fixture, store, index, draw(fixture->files[index].pieces));
        if (draw(5) == 0)
            store_flush(store);
        if (draw(400) == 0) {
            store_close(store);
            if (store_open(folder, &store) != ERR_OK)
                _exit(1);
        }
        usleep(draw(300));
    }
}

static void check_content(struct fixture *fixture, const struct bitfield *have)
{
    static uint8_t got[PIECE];

    for (uint32_t i = 0; i < fixture->meta.file_count; i++) {
        const struct metainfo_file *file = &fixture->files[i];
        int fd = open(content_path(fixture, i), O_RDONLY);

        for (uint32_t piece = 0; piece < file->pieces; piece++) {
            uint64_t at = (uint64_t)piece * PIECE;
            size_t length = file->length - at < PIECE ? file->length - at : PIECE;

            if (!bitfield_get(have, file->first_piece + piece))
                continue;
            ck_assert_int_eq(pread(fd, got, length, (off_t)at), (ssize_t)length);
            ck_assert_mem_eq(got, fixture->content[i] + at, length);
        }
        if (fd >= 0)
            close(fd);
    }
}

START_TEST(a_kill_at_any_moment_never_marks_a_wrong_piece)
{
    uint64_t seed = seed_of_test();
    struct fixture *fixture = some_files();
    uint32_t most = 0;

    for (uint32_t i = 0; i < 40; i++)
        fixture_file(fixture, 1 + i * 6000, 100 + i);
    folder_new();
    for (unsigned round = 0; round < 25; round++) {
        struct bitfield have;
        struct store *store;
        pid_t child;
        int status;

        state = seed + round;
        child = fork();
        if (child == 0)
            work_until_killed(fixture);
        usleep(5000 + draw(60000));
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        store = store_at(folder);
        ck_assert_int_eq(store_load_have(store, &fixture->meta, &have), ERR_OK);
        check_content(fixture, &have);
        ck_assert_uint_ge(have.count, most); /* what was found once stays */
        most = have.count;
        bitfield_done(&have);
        store_close(store);
    }
    ck_assert_uint_gt(most, 0);
    fixture_free(fixture);
    folder_done();
}
END_TEST

struct numbers {
    unsigned count;
    uint64_t sum;
};

static void on_setting(void *user, const struct store_setting *setting)
{
    struct numbers *numbers = user;

    numbers->count++;
    numbers->sum += setting->value * (uint64_t)setting->name[0];
}

static struct numbers all_settings(struct store *store)
{
    struct numbers numbers = {0};
    ck_assert_int_eq(store_each_setting(store, on_setting, &numbers), ERR_OK);
    return numbers;
}

START_TEST(settings_are_remembered)
{
    struct store *store = store_at(folder_new());
    struct store_setting settings[] = {{"a", 1}, {"b", 1000}};

    ck_assert_uint_eq(all_settings(store).count, 0);
    ck_assert_int_eq(store_save_settings(store, settings, 2), ERR_OK);
    settings[1].value = INT64_MAX / 1000;
    ck_assert_int_eq(store_save_settings(store, settings, 2), ERR_OK);
    settings[0].value = 7;
    settings[1].value = UINT64_MAX;
    ck_assert_int_eq(store_save_settings(store, settings, 2), ERR_RANGE); /* and none of them */
    store_close(store);
    run_sql("INSERT INTO setting VALUES ('c', -5)");
    store = store_at(folder);
    ck_assert_uint_eq(all_settings(store).count, 2);
    ck_assert_uint_eq(all_settings(store).sum, 'a' + 'b' * (uint64_t)(INT64_MAX / 1000));
    store_close(store);
    folder_done();
}
END_TEST

START_TEST(an_index_of_schema_1_is_converted)
{
    struct fixture *fixture = some_files();
    struct store *store = store_at(folder_new());
    struct store_site site = {.site = "https://a.example", .zone = ZONE_FETCH, .seq = 7};
    struct store_setting setting = {"a", 3};
    struct seen seen = {0};

    fixture_write_all(fixture, store);
    store_save_site(store, &site);
    store_close(store);
    run_sql("DROP TABLE shared; DROP TABLE choice; DROP TABLE cached; DROP TABLE blocked; "
            "DROP TABLE setting; PRAGMA user_version = 1");
    store = store_at(folder);
    ck_assert_uint_eq(have_count(fixture, store), fixture->meta.piece_count);
    ck_assert_int_eq(store_each_site(store, on_site, &seen), ERR_OK);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.last.seq, 7);
    ck_assert_int_eq(store_save_settings(store, &setting, 1), ERR_OK);
    store_close(store);
    ck_assert_int_eq(ask_sql("PRAGMA user_version"), 5);
    /* Not ours, though it says so. */
    run_sql("DROP TABLE shared; DROP TABLE choice; DROP TABLE cached; DROP TABLE blocked; "
            "DROP TABLE setting; PRAGMA user_version = 1; "
            "CREATE TABLE more (a)");
    store_close(store_at(folder));
    ck_assert_int_eq(access(folder_path("index.sqlite.corrupt"), F_OK), 0);
    fixture_free(fixture);
    folder_done();
}
END_TEST

/* --- the cache's books */

static char told[4096];

static void tell(void *user, const struct store_cached *file)
{
    size_t at = strlen(told);

    (void)user;
    snprintf(told + at, sizeof told - at, "%s %llu%s;", file->site,
             (unsigned long long)file->length, file->old ? " old" : "");
}

static const char *all_cached(struct store *store)
{
    told[0] = '\0';
    ck_assert_int_eq(store_each_cached(store, tell, NULL), ERR_OK);
    return told;
}

static void tell_choice(void *user, const struct store_choice *choice)
{
    size_t at = strlen(told);

    (void)user;
    snprintf(told + at, sizeof told - at, "%s %llu %d;", choice->site,
             (unsigned long long)choice->quota, choice->keep);
}

START_TEST(whose_files_they_are_is_remembered)
{
    struct fixture *fixture = fixture_new(KIB(16));
    struct store *store = store_at(folder_new());
    struct store_owner owner = {.site = "https://a.example", .old = true};

    fixture_file(fixture, 100, 1);
    fixture_file(fixture, 200, 2);
    fixture_write_all(fixture, store);
    memcpy(owner.root, fixture->files[1].root, HASH_LENGTH);
    ck_assert_int_eq(store_save_owners(store, &owner, 1), ERR_OK);
    store_close(store);
    run_sql("UPDATE file SET last_used = length");
    store = store_at(folder);
    ck_assert_str_eq(all_cached(store), " 100;https://a.example 200 old;");
    store_close(store);
    run_sql(
        "UPDATE cached SET site = 'javascript:1'; UPDATE file SET length = -1 WHERE length < 150");
    store = store_at(folder);
    ck_assert_str_eq(all_cached(store), " 200 old;");
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(choices_for_a_sites_files_are_remembered)
{
    struct store *store = store_at(folder_new());
    struct store_choice a = {"https://a.example", 7, true}, b = {"https://b.example", 0, true};

    ck_assert_int_eq(store_save_choice(store, &a), ERR_OK);
    ck_assert_int_eq(store_save_choice(store, &b), ERR_OK);
    b.keep = false; /* none: it is forgotten */
    ck_assert_int_eq(store_save_choice(store, &b), ERR_OK);
    store_close(store);
    run_sql("INSERT INTO choice VALUES ('nonsense', 1, 1)");
    store = store_at(folder);
    told[0] = '\0';
    ck_assert_int_eq(store_each_choice(store, tell_choice, NULL), ERR_OK);
    ck_assert_str_eq(told, "https://a.example 7 1;");
    store_close(store);
    ck_assert_int_eq(ask_sql("SELECT count(*) FROM choice"), 2);
    folder_done();
}
END_TEST

static void tell_shared(void *user, const struct store_shared *shared)
{
    size_t at = strlen(told);

    (void)user;
    snprintf(told + at, sizeof told - at, "%s %llu %llu;", shared->site,
             (unsigned long long)shared->down, (unsigned long long)shared->up);
}

static const char *told_shared(struct store *store)
{
    told[0] = '\0';
    ck_assert_int_eq(store_each_shared(store, tell_shared, NULL), ERR_OK);
    return told;
}

START_TEST(what_was_shared_is_remembered_as_long_as_its_site)
{
    struct store *store = store_at(folder_new());
    struct store_shared rows[] = {{"https://a.example", 7, 1}, {"https://b.example", 0, 5}};
    struct store_site a = {.site = "https://a.example"}, b = {.site = "https://b.example"};

    store_save_site(store, &a);
    store_save_site(store, &b);
    ck_assert_int_eq(store_save_shared(store, rows, 2), ERR_OK);
    rows[0].down = 9;
    ck_assert_int_eq(store_save_shared(store, rows, 1), ERR_OK);
    store_close(store);
    run_sql("INSERT INTO site (site, zone, seq, last_used) VALUES ('nonsense', 1, 1, 1); "
            "INSERT INTO shared VALUES ('nonsense', 1, 1), ('https://gone.example', 1, 1); "
            "UPDATE shared SET up = -5 WHERE site = 'https://b.example'");
    store = store_at(folder);
    ck_assert_str_eq(told_shared(store), "https://a.example 9 1;https://b.example 0 0;");
    ck_assert_int_eq(ask_sql("SELECT count(*) FROM shared"), 3);
    ck_assert_int_eq(store_forget_shared(store, "https://b.example"), ERR_OK);
    ck_assert_str_eq(told_shared(store), "https://a.example 9 1;");
    ck_assert_int_eq(store_forget_shared(store, NULL), ERR_OK);
    ck_assert_str_eq(told_shared(store), "");
    store_close(store);
    folder_done();
}
END_TEST

START_TEST(an_index_of_schema_4_is_converted)
{
    struct store *store = store_at(folder_new());
    struct store_choice choice = {"https://a.example", 7, true};
    struct store_shared row = {"https://a.example", 2, 3};
    struct store_site site = {.site = "https://a.example"};

    store_save_choice(store, &choice);
    store_save_site(store, &site);
    store_close(store);
    run_sql("DROP TABLE shared; PRAGMA user_version = 4");
    store = store_at(folder);
    told[0] = '\0';
    ck_assert_int_eq(store_each_choice(store, tell_choice, NULL), ERR_OK);
    ck_assert_str_eq(told, "https://a.example 7 1;");
    ck_assert_int_eq(store_save_shared(store, &row, 1), ERR_OK);
    ck_assert_str_eq(told_shared(store), "https://a.example 2 3;");
    store_close(store);
    ck_assert_int_eq(ask_sql("PRAGMA user_version"), 5);
    folder_done();
}
END_TEST

START_TEST(a_removed_file_leaves_nothing)
{
    struct fixture *fixture = fixture_new(KIB(16));
    struct store *store = store_at(folder_new());
    uint8_t root[HASH_LENGTH];
    int fd;

    for (uint32_t i = 0; i < 3; i++)
        fixture_file(fixture, 20000 + i, i + 1);
    fixture_write_all(fixture, store);
    ck_assert_int_eq(store_remove(store, fixture->files[0].root), ERR_OK); /* not recorded yet */
    ck_assert_int_eq(store_flush(store), ERR_OK);
    struct metainfo_file file = bare(fixture, 1);
    ck_assert_int_eq(store_fd(store, &file, fixture->meta.piece_length, &fd), ERR_OK);
    store_pin(store, file.root);
    ck_assert_int_eq(store_remove(store, file.root), ERR_BUSY);
    store_unpin(store, file.root);
    ck_assert_int_eq(store_remove(store, file.root), ERR_OK);
    ck_assert_uint_eq(have_count(fixture, store), 2);
    ck_assert_uint_eq(store_totals(store).files, 1);
    ck_assert_uint_eq(store_totals(store).bytes, 20002);
    store_close(store);
    store = store_at(folder);
    ck_assert_int_eq(store_remove(store, fixture->files[2].root), ERR_OK); /* only in the index */
    memset(root, 7, sizeof root);
    ck_assert_int_eq(store_remove(store, root), ERR_OK); /* never there */
    ck_assert_uint_eq(store_totals(store).bytes, 0);
    store_close(store);
    ck_assert_int_eq(ask_sql("SELECT count(*) FROM file"), 0);
    fixture_free(fixture);
    folder_done();
}
END_TEST

START_TEST(content_without_a_row_is_found)
{
    struct fixture *fixture = fixture_new(KIB(16));
    struct store *store = store_at(folder_new());

    fixture_file(fixture, 100, 1);
    fixture_file(fixture, 200, 2);
    fixture_write_all(fixture, store);
    store_close(store);
    run_sql("DELETE FROM file");
    store = store_at(folder);
    told[0] = '\0';
    for (unsigned i = 0; i < 256; i++)
        store_each_content(store, i, tell, NULL);
    ck_assert(strcmp(told, " 100; 200;") == 0 || strcmp(told, " 200; 100;") == 0);
    store_close(store);
    fixture_free(fixture);
    folder_done();
}
END_TEST

TEST_MAIN("store",
          TESTS(pieces_are_remembered, files_and_folders_are_private, equal_files_share_one_content,
                other_piece_lengths_of_a_part_are_verified_again,
                a_torrent_that_lies_about_a_length_costs_nothing, a_lie_that_came_first_gives_way,
                a_changed_byte_is_found_before_use, a_truncated_or_missing_file_is_found,
                something_else_in_a_files_place, another_boot_makes_unsynced_files_be_verified,
                impossible_rows_are_not_believed, impossible_sites_are_not_told,
                a_broken_index_is_moved_aside, flipped_bytes_in_the_index_do_no_harm,
                an_index_that_breaks_under_way_is_begun_anew, one_daemon_at_a_time,
                folders_that_cannot_be_are_refused, no_room_is_known_before,
                a_batch_that_fails_is_kept, content_is_synced_behind_the_loop,
                what_has_just_come_is_not_synced_yet, the_log_of_the_index_stays_short,
                thousands_of_small_files, settings_are_remembered,
                an_index_of_schema_1_is_converted, whose_files_they_are_is_remembered,
                choices_for_a_sites_files_are_remembered,
                what_was_shared_is_remembered_as_long_as_its_site,
                an_index_of_schema_4_is_converted, a_removed_file_leaves_nothing,
                content_without_a_row_is_found, sites_and_torrents_are_remembered,
                sites_have_a_cap_and_choices_are_kept_longest,
                a_kill_at_any_moment_never_marks_a_wrong_piece))
