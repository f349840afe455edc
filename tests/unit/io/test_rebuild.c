/* io/rebuild: through the hasher, a new file from an old one and a patch; only right pieces are
 * written, whatever is wrong with patch, old file or disk. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "io/hasher.h"
#include "mutate.h"
#include "wire/delta.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE  KIB(64)
#define LENGTH (5 * PIECE + 1000)
#define PIECES 6

static struct loop loop;
static struct hasher *hasher;
static unsigned done;
static enum err last;
static uint32_t written; /* a bit each */

/* The two versions, the patch, and the three files. */
static uint8_t old_data[LENGTH], new_data[LENGTH];
static struct buf patch;
static uint8_t hashes[PIECES * HASH_LENGTH], old_root[HASH_LENGTH];
static int old_fd, patch_fd, fd;

static void on_done(void *user, const struct hasher_result *result)
{
    ck_assert_ptr_null(user);
    ck_assert_ptr_nonnull(result->rebuild);
    done++;
    last = result->err;
    written = 0;
    for (uint32_t i = 0; i < result->rebuild->have.bits; i++)
        written |= (uint32_t)bitfield_get(&result->rebuild->have, i) << i;
}

static int file_with(const void *data, size_t length)
{
    char path[] = "/tmp/fringe-rebuild-XXXXXX";
    int file = mkstemp(path);

    ck_assert_int_ge(file, 0);
    unlink(path);
    ck_assert_int_eq(write(file, data, length), (ssize_t)length);
    return file;
}

static size_t piece_bytes(uint32_t piece)
{
    return piece + 1 < PIECES ? PIECE : LENGTH - (PIECES - 1) * PIECE;
}

static void make_versions(void)
{
    uint64_t seed = 5;

    for (size_t i = 0; i < LENGTH; i++)
        old_data[i] = (uint8_t)(mutate_random(&seed) >> 24);
    memcpy(new_data, old_data, LENGTH);
    memset(new_data + 3 * PIECE - 100, 7, 200);
    for (uint32_t i = 0; i < PIECES; i++)
        merkle_piece(new_data + i * PIECE, piece_bytes(i), LENGTH, PIECE, hashes + i * HASH_LENGTH);
    merkle_data_root(old_data, LENGTH, old_root);
    buf_init(&patch, LENGTH);
    ck_assert_int_eq(
        delta_make(span_of(old_data, LENGTH), span_of(new_data, LENGTH), &patch, NULL, NULL),
        ERR_OK);
}

static void setup(void)
{
    done = 0;
    make_versions();
    old_fd = file_with(old_data, LENGTH);
    patch_fd = file_with(patch.data, patch.length);
    fd = file_with("", 0);
    ck_assert_int_eq(ftruncate(fd, LENGTH), 0);
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    hasher = hasher_new(&loop, on_done, NULL);
}

static void teardown(void)
{
    hasher_free(hasher);
    loop_done(&loop);
    buf_done(&patch);
    close(old_fd);
    close(patch_fd);
    close(fd);
}

static void submit(void)
{
    struct rebuild *rebuild = mem_zalloc(sizeof *rebuild);

    rebuild->old_fd = old_fd;
    rebuild->patch_fd = patch_fd;
    rebuild->fd = fd;
    rebuild->old_length = rebuild->length = LENGTH;
    rebuild->patch_length = patch.length;
    rebuild->piece_length = PIECE;
    memcpy(rebuild->old_root, old_root, HASH_LENGTH);
    rebuild->hashes = mem_dup(hashes, sizeof hashes);
    hasher_submit(hasher, &(struct hasher_job){.op = 1, .fd = -1, .rebuild = rebuild});
}

static void check_written(uint32_t pieces)
{
    static uint8_t got[PIECE];

    ck_assert_uint_eq(written, pieces);
    for (uint32_t i = 0; i < PIECES; i++) {
        ck_assert_int_eq(pread(fd, got, PIECE, i * PIECE), (ssize_t)piece_bytes(i));
        if (pieces & 1u << i)
            ck_assert_mem_eq(got, new_data + i * PIECE, piece_bytes(i));
        else
            for (size_t b = 0; b < piece_bytes(i); b++)
                ck_assert_uint_eq(got[b], 0);
    }
}

static void rebuild_expecting(enum err err, uint32_t pieces)
{
    submit();
    loop_run(&loop);
    ck_assert_uint_eq(done, 1);
    ck_assert_str_eq(err_name(last), err_name(err));
    check_written(pieces);
}

static void rewrite_patch(void)
{
    ck_assert_int_eq(pwrite(patch_fd, patch.data, patch.length, 0), (ssize_t)patch.length);
}

START_TEST(a_good_patch_gives_all_pieces)
{
    setup();
    rebuild_expecting(ERR_OK, 0x3f);
    teardown();
}
END_TEST

START_TEST(a_patch_that_is_cut_short)
{
    setup();
    patch.length -= 3;
    submit();
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_TRUNCATED);
    ck_assert_uint_ne(written, 0x3f); /* what came before the cut is right, and stays */
    check_written(written);
    teardown();
}
END_TEST

/* What is right of it stays. */
START_TEST(what_comes_of_it_must_have_the_hash)
{
    setup();
    hashes[2 * HASH_LENGTH] ^= 1;
    rebuild_expecting(ERR_BAD_HASH, 0x03);
    teardown();
}
END_TEST

START_TEST(made_for_another_old_file)
{
    setup();
    patch.data[8] ^= 1;
    rewrite_patch();
    rebuild_expecting(ERR_MISMATCH, 0);
    teardown();
}
END_TEST

START_TEST(the_old_file_is_damaged)
{
    setup();
    ck_assert_int_eq(pwrite(old_fd, "x", 1, 12345), 1);
    rebuild_expecting(ERR_NOT_FOUND, 0);
    teardown();
}
END_TEST

START_TEST(the_old_file_is_shorter)
{
    setup();
    ck_assert_int_eq(ftruncate(old_fd, LENGTH - 1), 0);
    rebuild_expecting(ERR_NOT_FOUND, 0);
    teardown();
}
END_TEST

START_TEST(the_patch_is_shorter)
{
    setup();
    ck_assert_int_eq(ftruncate(patch_fd, 50), 0);
    rebuild_expecting(ERR_NOT_FOUND, 0);
    teardown();
}
END_TEST

START_TEST(no_patch_at_all)
{
    setup();
    memset(patch.data, 'x', patch.length);
    rewrite_patch();
    rebuild_expecting(ERR_SYNTAX, 0);
    teardown();
}
END_TEST

/* RLIMIT_FSIZE stands for a disk that is full in the middle. */
START_TEST(a_full_disk)
{
    struct rlimit limit;

    setup();
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 2 * PIECE;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    submit();
    loop_run(&loop);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(last, ERR_NO_SPACE);
    check_written(0x03);
    teardown();
}
END_TEST

START_TEST(files_over_the_limit_are_not_read)
{
    struct rebuild *rebuild = mem_zalloc(sizeof *rebuild);

    setup();
    rebuild->old_fd = rebuild->patch_fd = rebuild->fd = -1;
    rebuild->old_length = LIMIT_DELTA_FILE + 1ull;
    rebuild->length = LENGTH;
    rebuild->piece_length = PIECE;
    hasher_submit(hasher, &(struct hasher_job){.op = 1, .fd = -1, .rebuild = rebuild});
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_TOO_LARGE);
    teardown();
}
END_TEST

/* The daemon ends: nobody is told, nothing leaks, and the caller may close its files at once. */
START_TEST(ended_meanwhile)
{
    setup();
    submit();
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    hasher_free(hasher);
    hasher = NULL;
    unsigned before = done;
    loop_run(&loop);
    ck_assert_uint_eq(done, before);
    teardown();
}
END_TEST

START_TEST(a_stop_ends_it_at_the_next_piece)
{
    atomic_bool stop = true;
    struct rebuild *rebuild = mem_zalloc(sizeof *rebuild);

    setup();
    *rebuild = (struct rebuild){.old_fd = old_fd,
                                .patch_fd = patch_fd,
                                .fd = fd,
                                .old_length = LENGTH,
                                .patch_length = patch.length,
                                .length = LENGTH,
                                .piece_length = PIECE,
                                .hashes = mem_dup(hashes, sizeof hashes)};
    ck_assert_int_eq(rebuild_run(rebuild, &stop), ERR_CANCELLED);
    ck_assert_uint_eq(rebuild->have.count, 0);
    rebuild_free(rebuild);
    teardown();
}
END_TEST

TEST_MAIN("rebuild", TESTS(a_good_patch_gives_all_pieces, a_patch_that_is_cut_short,
                           what_comes_of_it_must_have_the_hash, made_for_another_old_file,
                           the_old_file_is_damaged, the_old_file_is_shorter, the_patch_is_shorter,
                           no_patch_at_all, a_full_disk, files_over_the_limit_are_not_read,
                           ended_meanwhile, a_stop_ends_it_at_the_next_piece))
