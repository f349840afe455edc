/* app: what `fringe publish` decides and writes without touching a disk. */
#include "app/cmd.h"
#include "app/publish.h"
#include "app/site_files.h"
#include "check_main.h"

#include <string.h>

START_TEST(piece_length_grows_with_the_bundle)
{
    ck_assert_uint_eq(publish_piece_length(0), KIB(64));
    ck_assert_uint_eq(publish_piece_length(500 << 20), KIB(64));
    ck_assert_uint_eq(publish_piece_length((8ull << 30) - 1), KIB(64));
    ck_assert_uint_eq(publish_piece_length(8ull << 30), KIB(128));
    ck_assert_uint_eq(publish_piece_length(1ull << 40), MIB(16));
    ck_assert_uint_eq(publish_piece_length(1ull << 50), MIB(16)); /* no further */
}
END_TEST

START_TEST(the_worker_gets_one_new_line)
{
    struct release_bundle bundles[] = {{.base = "/static/"}, {.base = "/a'b$&/"}};
    struct release release = {.seq = 9007199254740991, .bundle_count = 2, .bundles = bundles};
    struct buf out;
    buf_init(&out, MIB(1));
    ck_assert(publish_worker(&release, &out));
    buf_put_u8(&out, 0);
    const char *line = strstr((char *)out.data, "\nconst CONFIG = ");
    ck_assert_ptr_nonnull(line);
    ck_assert(strncmp(line,
                      "\nconst CONFIG = {\"seq\":9007199254740991,\"bases\":[\"/static/\","
                      "\"/a'b$&/\"]}; // written by fringe publish\n",
                      102) == 0);
    /* Before and behind it the template stands byte for byte. */
    size_t before = (size_t)(line - (char *)out.data);
    const char *rest = strchr(line + 1, '\n'), *old = strchr(site_worker + before + 1, '\n');
    ck_assert_mem_eq(out.data, site_worker, before);
    ck_assert_uint_eq(strlen(rest), (size_t)(site_worker_end - old));
    ck_assert_mem_eq(rest, old, strlen(rest));
    buf_done(&out);
}
END_TEST

START_TEST(sizes_for_people)
{
    char text[BYTES_TEXT];
    ck_assert_str_eq(cmd_bytes(0, text), "0 bytes");
    ck_assert_str_eq(cmd_bytes(999, text), "999 bytes");
    ck_assert_str_eq(cmd_bytes(1000, text), "1.0 kB");
    ck_assert_str_eq(cmd_bytes(12345, text), "12 kB");
    ck_assert_str_eq(cmd_bytes(999999, text), "1.0 MB");
    ck_assert_str_eq(cmd_bytes(1500000000, text), "1.5 GB");
    ck_assert(strlen(cmd_bytes(UINT64_MAX, text)) < BYTES_TEXT);
}
END_TEST

TEST_MAIN("publish",
          TESTS(piece_length_grows_with_the_bundle, the_worker_gets_one_new_line, sizes_for_people))
