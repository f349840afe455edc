/* io/hasher: only bytes with the right hash are written; every job is answered once. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "io/hasher.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE KIB(64)

static struct loop loop;
static struct hasher *hasher;
static unsigned done, free_after;
static uint64_t ops;
static enum err last;
static bool inside;
static size_t last_data, leaf_bytes;
static uint8_t leaves[PIECE / BLOCK_LENGTH * HASH_LENGTH];

static void on_done(void *user, const struct hasher_result *result)
{
    ck_assert_ptr_null(user);
    ck_assert(!inside);
    done++;
    ops += result->op;
    last = result->err;
    last_data = result->data.length;
    leaf_bytes = result->leaves.length;
    if (leaf_bytes == sizeof leaves)
        memcpy(leaves, result->leaves.data, leaf_bytes);
    if (done == free_after) {
        hasher_free(hasher);
        hasher = NULL;
    }
}

static void setup(void)
{
    done = 0;
    ops = 0;
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    hasher = hasher_new(&loop, on_done, NULL);
}

static void teardown(void)
{
    hasher_free(hasher);
    loop_done(&loop);
}

static int empty_file(void)
{
    char path[] = "/tmp/fringe-hasher-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    unlink(path);
    return fd;
}

static void fill(uint8_t *data, size_t length, uint64_t piece)
{
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)(i * 7 + piece * 13);
}

/* A right job: piece `piece` of a file of many. */
static struct hasher_job job_of(uint64_t piece, int fd)
{
    struct hasher_job job = {.op = piece,
                             .data = mem_alloc(PIECE),
                             .length = PIECE,
                             .file_length = 1000 * (uint64_t)PIECE,
                             .piece_length = PIECE,
                             .fd = fd,
                             .offset = piece * PIECE};

    fill(job.data, PIECE, piece);
    merkle_piece(job.data, PIECE, job.file_length, PIECE, job.expected);
    return job;
}

static void submit(const struct hasher_job *job)
{
    inside = true;
    hasher_submit(hasher, job);
    inside = false;
}

static off_t size_of(int fd)
{
    struct stat status;

    ck_assert_int_eq(fstat(fd, &status), 0);
    return status.st_size;
}

START_TEST(good_pieces_are_written_where_they_belong)
{
    enum { COUNT = 500 };
    static uint8_t expected[PIECE], got[PIECE];
    int fd = empty_file();

    setup();
    for (uint64_t i = 0; i < COUNT; i++) {
        struct hasher_job job = job_of(i, fd);

        submit(&job);
        if (i % 50 == 0)
            uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    loop_run(&loop);
    ck_assert_uint_eq(done, COUNT);
    ck_assert_uint_eq(ops, COUNT * (COUNT - 1) / 2);
    ck_assert_uint_eq(hasher_pending(hasher), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        fill(expected, PIECE, i);
        ck_assert_int_eq(pread(fd, got, PIECE, (off_t)(i * PIECE)), PIECE);
        ck_assert_mem_eq(got, expected, PIECE);
    }
    teardown();
    close(fd);
}
END_TEST

START_TEST(a_flipped_byte_is_refused_and_nothing_is_written)
{
    int fd = empty_file();
    struct hasher_job job;

    setup();
    job = job_of(3, fd);
    job.data[PIECE - 1] ^= 1;
    submit(&job);
    loop_run(&loop);
    ck_assert_uint_eq(done, 1);
    ck_assert_int_eq(last, ERR_BAD_HASH);
    ck_assert_int_eq(size_of(fd), 0);
    teardown();
    close(fd);
}
END_TEST

START_TEST(who_was_wrong_can_be_told)
{
    struct hasher_job job;
    uint8_t expected[sizeof leaves];

    setup();
    job = job_of(3, -1);
    job.data[BLOCK_LENGTH + 5] ^= 1;
    merkle_leaves(job.data, PIECE, expected);
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_BAD_HASH);
    ck_assert_uint_eq(last_data, PIECE);
    ck_assert_uint_eq(leaf_bytes, sizeof leaves);
    ck_assert_mem_eq(leaves, expected, sizeof leaves);
    teardown();
}
END_TEST

START_TEST(a_stored_piece_is_read_and_its_blocks_hashed)
{
    int fd = empty_file();
    uint8_t expected[sizeof leaves], byte = 0x55;
    struct hasher_job job = job_of(2, fd);

    setup();
    merkle_leaves(job.data, PIECE, expected);
    struct hasher_job read = job;
    read.data = NULL;
    submit(&job);
    loop_run(&loop);
    submit(&read);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_OK);
    ck_assert_uint_eq(leaf_bytes, sizeof leaves);
    ck_assert_mem_eq(leaves, expected, sizeof leaves);
    /* The disk has changed it, then lost it. */
    ck_assert_int_eq(pwrite(fd, &byte, 1, 2 * PIECE + 77), 1);
    submit(&read);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_BAD_HASH);
    ck_assert_int_eq(ftruncate(fd, 2 * PIECE + 10), 0);
    submit(&read);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_IO);
    ck_assert_uint_eq(leaf_bytes, 0);
    teardown();
    close(fd);
}
END_TEST

START_TEST(lengths_that_cannot_be_are_refused)
{
    struct hasher_job job;

    setup();
    job = job_of(1, -1);
    job.length = 0;
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_BAD_HASH);
    job = job_of(1, -1);
    job.piece_length = PIECE / 2;
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_BAD_HASH);
    job = job_of(1, -1); /* right again, only verified */
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_OK);
    teardown();
}
END_TEST

START_TEST(a_short_last_block_and_a_single_piece_file)
{
    int fd = empty_file();
    struct hasher_job job;

    setup();
    job = job_of(0, fd);
    job.length = job.file_length = 20001;
    merkle_piece(job.data, job.length, job.file_length, PIECE, job.expected);
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_OK);
    ck_assert_int_eq(size_of(fd), 20001);
    teardown();
    close(fd);
}
END_TEST

START_TEST(a_full_disk_and_a_bad_descriptor_are_told)
{
    const struct rlimit limit = {PIECE * 4, PIECE * 4};
    int full = open("/dev/full", O_WRONLY), fd = empty_file();
    int read_only = open("/dev/null", O_RDONLY);
    struct hasher_job job;

    setup();
    job = job_of(0, full);
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_NO_SPACE);
    job = job_of(0, read_only);
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_IO);
    /* A limit on file sizes: no signal kills us, the job fails. */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    job = job_of(4, fd);
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_NO_SPACE);
    job = job_of(3, fd);
    submit(&job);
    loop_run(&loop);
    ck_assert_int_eq(last, ERR_OK);
    teardown();
    close(full);
    close(read_only);
    close(fd);
}
END_TEST

START_TEST(the_end_waits_for_workers_and_tells_nothing)
{
    enum { COUNT = 300 };
    static struct hasher_job jobs[COUNT];
    int fd = empty_file();
    off_t size;

    setup();
    for (uint64_t i = 0; i < COUNT; i++)
        jobs[i] = job_of(i, fd);
    for (uint64_t i = 0; i < COUNT; i++)
        submit(&jobs[i]);
    while (size_of(fd) == 0) /* until the workers are in the middle of it */
        usleep(100);
    hasher_free(hasher);
    size = size_of(fd);
    usleep(20000);
    ck_assert_int_eq(size_of(fd), size); /* nobody writes to it any more */
    close(fd);
    loop_done(&loop);
    ck_assert_uint_eq(done, 0);
}
END_TEST

START_TEST(the_owner_may_free_it_in_a_callback)
{
    setup();
    free_after = 5;
    for (uint64_t i = 0; i < 100; i++) {
        struct hasher_job job = job_of(i, -1);

        submit(&job);
    }
    loop_run(&loop);
    ck_assert_uint_eq(done, 5);
    teardown();
}
END_TEST

TEST_MAIN("hasher",
          TESTS(good_pieces_are_written_where_they_belong,
                a_flipped_byte_is_refused_and_nothing_is_written, who_was_wrong_can_be_told,
                a_stored_piece_is_read_and_its_blocks_hashed, lengths_that_cannot_be_are_refused,
                a_short_last_block_and_a_single_piece_file,
                a_full_disk_and_a_bad_descriptor_are_told,
                the_end_waits_for_workers_and_tells_nothing, the_owner_may_free_it_in_a_callback))
