/* Our codecs for tests in Python: one command a line on stdin, one line of answer on stdout. What
 * is bytes is hex on both sides; an error answers "error" and its name.
 *
 *   udp-connect TRANSACTION
 *   udp-announce CONNECTION TRANSACTION INFOHASH PORT EVENT
 *   udp-decode FAMILY BYTES
 *   pex-encode ADDRESS...
 *   pex-decode BYTES
 *   metadata-request PIECE
 *   metadata-decode BYTES
 *   hash-answer TORRENT FOLDER ROOT BASE INDEX COUNT PROOF
 *   lsd-format PORT INFOHASH COOKIE
 *   lsd-parse BYTES */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/hash_answer.h"
#include "wire/lsd.h"
#include "wire/udp_tracker.h"
#include "wire/ut_metadata.h"
#include "wire/ut_pex.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORDS 64

static char *words[MAX_WORDS];
static size_t word_count;

/* --- words in, hex out */

static const char *word(size_t i)
{
    return i < word_count ? words[i] : "";
}

static uint64_t number(size_t i)
{
    return strtoull(word(i), NULL, 0);
}

/* The bytes of a hex word, until the next call. At exactly their size, so that the sanitizer sees a
 * read past the end. */
static struct span bytes(size_t i)
{
    static uint8_t *data;
    size_t length = strlen(word(i)) / 2;

    mem_free(data);
    data = mem_alloc(length);
    if (!hex_decode(data, length, word(i), strlen(word(i))))
        length = 0;
    return span_of(data, length);
}

static void copy_bytes(size_t i, void *out, size_t length)
{
    struct span from = bytes(i);
    memcpy(out, from.data, from.length < length ? from.length : length);
}

static void print_hex(const void *data, size_t length)
{
    char *text = mem_alloc(HEX_LENGTH(length));
    hex_encode(text, data, length);
    printf("%s", text);
    mem_free(text);
}

static void print_buf(struct buf *out)
{
    print_hex(out->data, out->length);
    buf_done(out);
}

static void print_error(enum err err)
{
    printf("error %s", err_name(err));
}

static void print_address(const struct address *address)
{
    char text[ADDRESS_TEXT];
    address_format(address, text);
    printf(" %s", text);
}

/* --- commands */

static void udp_connect(struct buf *out)
{
    udp_tracker_put_connect((uint32_t)number(1), out);
}

static void udp_announce(struct buf *out)
{
    struct tracker_announce announce = {.port = (uint16_t)number(4),
                                        .left = 1,
                                        .event = (enum tracker_event)number(5),
                                        .key = (uint32_t)number(4),
                                        .num_want = UINT32_MAX};

    copy_bytes(3, announce.infohash, SHORT_HASH_LENGTH);
    memcpy(announce.peer_id, "-FR0100-", 8);
    snprintf((char *)announce.peer_id + 8, 12, "%011u", announce.port);
    udp_tracker_put_announce(number(1), (uint32_t)number(2), &announce, out);
}

static void udp_decode(void)
{
    struct udp_tracker_reply reply;
    struct span data = bytes(2);
    enum err err = udp_tracker_decode(data.data, data.length, (uint8_t)number(1), &reply);

    if (err != ERR_OK) {
        print_error(err);
        return;
    }
    printf("%d %" PRIu32 " %" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu32, reply.action,
           reply.transaction, reply.connection, reply.reply.interval_s, reply.reply.seeders,
           reply.reply.leechers);
    for (size_t i = 0; i < reply.reply.count; i++)
        print_address(&reply.reply.peers[i]);
    printf(" %s", reply.reply.failure);
    udp_tracker_reply_done(&reply);
}

static void pex_encode(struct buf *out)
{
    struct ut_pex pex = {0};

    for (size_t i = 1; i < word_count && pex.added_count < LIMIT_PEX_PEERS; i++)
        if (address_parse(word(i), &pex.added[pex.added_count].address) == ERR_OK)
            pex.added[pex.added_count++].flags = UT_PEX_REACHABLE;
    ut_pex_encode(&pex, out);
}

static void pex_decode(void)
{
    struct ut_pex pex;
    enum err err = ut_pex_decode(bytes(1), &pex);

    if (err != ERR_OK) {
        print_error(err);
        return;
    }
    printf("%zu", pex.dropped_count);
    for (size_t i = 0; i < pex.added_count; i++)
        print_address(&pex.added[i].address);
}

static void metadata_request(struct buf *out)
{
    ut_metadata_encode(&(struct ut_metadata){.piece = (uint32_t)number(1)}, out);
}

static void metadata_decode(void)
{
    struct ut_metadata msg;
    enum err err = ut_metadata_decode(bytes(1), &msg);

    if (err != ERR_OK) {
        print_error(err);
        return;
    }
    printf("%d %" PRIu32 " %" PRIu32 " ", msg.kind, msg.piece, msg.total_size);
    print_hex(msg.data.data, msg.data.length);
}

static struct metainfo *load_torrent(const char *path)
{
    static uint8_t data[MIB(4)];
    struct metainfo *meta = NULL;
    int fd = open(path, O_RDONLY);
    ssize_t length = fd >= 0 ? read(fd, data, sizeof data) : -1;

    if (length < 0 || metainfo_parse(data, (size_t)length, &meta) != ERR_OK)
        exit(EXIT_FAILURE);
    close(fd);
    return meta;
}

/* The leaves of one piece, from the file in the folder. */
static uint8_t *piece_leaves(const struct metainfo *meta, uint32_t piece)
{
    const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, piece)];
    uint32_t length = metainfo_piece_bytes(meta, piece);
    uint8_t *data = mem_alloc(length), *leaves = mem_alloc(merkle_blocks(length) * HASH_LENGTH);
    char *path = mem_printf("%s/%s", word(2), file->path);
    int fd = open(path, O_RDONLY);
    off_t at = (off_t)(piece - file->first_piece) * meta->piece_length;

    if (fd < 0 || pread(fd, data, length, at) != (ssize_t)length)
        exit(EXIT_FAILURE);
    close(fd);
    merkle_leaves(data, length, leaves);
    mem_free(path);
    mem_free(data);
    return leaves;
}

static void answer_hashes(void)
{
    struct metainfo *meta = load_torrent(word(1));
    struct peer_hashes request = {.base = (uint32_t)number(4),
                                  .index = (uint32_t)number(5),
                                  .count = (uint32_t)number(6),
                                  .proof_layers = (uint32_t)number(7)};
    struct hash_plan plan;
    struct buf out;

    copy_bytes(3, request.root, HASH_LENGTH);
    buf_init(&out, MIB(1));
    enum err err = hash_answer_plan(meta, &request, 0, &plan);
    if (err == ERR_OK) {
        uint8_t *leaves = plan.piece != UINT32_MAX ? piece_leaves(meta, plan.piece) : NULL;
        hash_answer(meta, &request, &plan, leaves, &out);
        mem_free(leaves);
        print_buf(&out);
    } else {
        print_error(err);
    }
    metainfo_free(meta);
}

static void format_lsd(struct buf *out)
{
    struct lsd lsd = {.port = (uint16_t)number(1), .count = 1};

    copy_bytes(2, lsd.infohash[0], SHORT_HASH_LENGTH);
    snprintf(lsd.cookie, sizeof lsd.cookie, "%s", word(3));
    lsd_format(&lsd, 4, out);
}

static void parse_lsd(void)
{
    struct lsd lsd;
    struct span data = bytes(1);
    enum err err = lsd_parse(data.data, data.length, &lsd);

    if (err != ERR_OK) {
        print_error(err);
        return;
    }
    printf("%u", lsd.port);
    for (size_t i = 0; i < lsd.count; i++) {
        printf(" ");
        print_hex(lsd.infohash[i], SHORT_HASH_LENGTH);
    }
}

static const struct {
    const char *name;
    void (*encode)(struct buf *out); /* its bytes are the answer */
    void (*print)(void);
} commands[] = {
    {"udp-connect", udp_connect, NULL},         {"udp-announce", udp_announce, NULL},
    {"udp-decode", NULL, udp_decode},           {"pex-encode", pex_encode, NULL},
    {"pex-decode", NULL, pex_decode},           {"metadata-request", metadata_request, NULL},
    {"metadata-decode", NULL, metadata_decode}, {"hash-answer", NULL, answer_hashes},
    {"lsd-format", format_lsd, NULL},           {"lsd-parse", NULL, parse_lsd},
};

static void run(void)
{
    struct buf out;

    buf_init(&out, MIB(1));
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word(0), commands[i].name) != 0)
            continue;
        if (commands[i].print != NULL)
            commands[i].print();
        else
            commands[i].encode(&out);
    }
    print_buf(&out);
    printf("\n");
    fflush(stdout);
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        word_count = 0;
        for (char *at = strtok(line, " \n"); at != NULL && word_count < MAX_WORDS;
             at = strtok(NULL, " \n"))
            words[word_count++] = at;
        run();
    }
    free(line);
    return EXIT_SUCCESS;
}
