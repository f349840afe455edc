/* Torrents and files. A sample by default: some files of each bundle, of long ones the first, the
 * last and one more piece. With --all every byte. */
#include "app/cmd.h"
#include "app/progress.h"
#include "app/verify.h"
#include "base/mem.h"
#include "wire/http_range.h"
#include "wire/url.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SAMPLE_FILES 200    /* of all bundles together, ... */
#define SAMPLE_LEAST 4      /* ... and of each at least */
#define SAMPLE_WHOLE MIB(1) /* files up to this are looked at whole */
#define CHUNK        MIB(4) /* of a long file at a time */

struct job {
    uint32_t bundle, file;
    uint32_t first, pieces; /* of the file; 0 pieces: it is empty */
};

struct files {
    struct job *jobs;
    size_t count, capacity, at;
    uint64_t bytes, done;
    struct progress progress;
    char *url, *disk; /* of the newest request */
    bool ranges_seen;
};

/* --- torrents */

static struct metainfo *parse_torrent(struct verify *verify, const struct verify_reply *reply,
                                      const struct release_bundle *bundle)
{
    struct metainfo *meta = NULL;
    enum err err = reply->too_long ? ERR_TOO_LARGE
                                   : metainfo_parse(reply->body.data, reply->body.length, &meta);
    if (err == ERR_OK && memcmp(meta->infohash, bundle->infohash, HASH_LENGTH) != 0)
        err = ERR_BAD_HASH;
    if (err == ERR_OK && (meta->file_count != bundle->files || meta->length != bundle->bytes ||
                          meta->piece_length != bundle->piece_length))
        err = ERR_MISMATCH;
    if (err == ERR_OK)
        return meta;
    verify_add(&verify->report, VERIFY_FAULT, "torrent", reply->url,
               "upload the torrent that `fringe publish` wrote with this release", "%s%s",
               verify_looks_like_html(reply) ? "an HTML page instead of a torrent: " : "",
               err_text(err));
    metainfo_free(meta);
    return NULL;
}

static void get_torrent(struct verify *verify, size_t number)
{
    const struct release_bundle *bundle = &verify->release->bundles[number];
    char hex[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(hex, bundle->infohash, HASH_LENGTH);
    char *path = mem_printf("/.well-known/fringe/%s.torrent", hex);
    struct verify_request request = {.path = path, .max = LIMIT_TORRENT};
    struct verify_reply reply;
    if (verify_get(verify, &request, &reply) && verify_reply_is_good(verify, &reply))
        verify->torrents[number] = parse_torrent(verify, &reply, bundle);
    verify_reply_done(&reply);
    mem_free(path);
}

/* --- what to look at */

static void add_job(struct files *files, const struct metainfo *meta, struct job job)
{
    if (files->count == files->capacity) {
        files->capacity = files->capacity > 0 ? 2 * files->capacity : 256;
        files->jobs = mem_realloc(files->jobs, files->capacity * sizeof *files->jobs);
    }
    files->jobs[files->count++] = job;
    files->bytes += (uint64_t)job.pieces * meta->piece_length;
}

static void add_file(const struct verify *verify, struct files *files, uint32_t bundle,
                     uint32_t number)
{
    const struct metainfo *meta = verify->torrents[bundle];
    uint32_t pieces = meta->files[number].pieces, step = CHUNK / meta->piece_length;
    step = step > 0 ? step : 1;
    if (verify->options->all || meta->files[number].length <= SAMPLE_WHOLE || pieces <= 3) {
        uint32_t first = 0;
        do {
            uint32_t left = pieces - first;
            add_job(files, meta, (struct job){bundle, number, first, left < step ? left : step});
            first += step;
        } while (first < pieces);
        return;
    }
    add_job(files, meta, (struct job){bundle, number, 0, 1});
    add_job(files, meta, (struct job){bundle, number, 1 + randombytes_uniform(pieces - 2), 1});
    add_job(files, meta, (struct job){bundle, number, pieces - 1, 1});
}

/* Some of them, each with the same chance (Fisher and Yates, as far as needed). */
static void add_bundle(const struct verify *verify, struct files *files, uint32_t bundle)
{
    const struct metainfo *meta = verify->torrents[bundle];
    size_t quota = SAMPLE_FILES / verify->release->bundle_count;
    quota = quota < SAMPLE_LEAST ? SAMPLE_LEAST : quota;
    if (verify->options->all || quota > meta->file_count)
        quota = meta->file_count;
    uint32_t *numbers = mem_calloc(meta->file_count, sizeof *numbers);
    for (uint32_t i = 0; i < meta->file_count; i++)
        numbers[i] = i;
    for (uint32_t i = 0; i < quota; i++) {
        uint32_t other = i + randombytes_uniform(meta->file_count - i), chosen = numbers[other];
        numbers[other] = numbers[i];
        numbers[i] = chosen;
        add_file(verify, files, bundle, chosen);
    }
    mem_free(numbers);
}

/* --- requests */

static const struct metainfo_file *file_of(const struct verify *verify, const struct job *job)
{
    return &verify->torrents[job->bundle]->files[job->file];
}

static void span_of_job(const struct verify *verify, const struct job *job, uint64_t *ret_first,
                        uint64_t *ret_length)
{
    const struct metainfo *meta = verify->torrents[job->bundle];
    uint64_t length = meta->files[job->file].length;
    uint64_t first = (uint64_t)job->first * meta->piece_length;
    uint64_t most = (uint64_t)job->pieces * meta->piece_length;
    *ret_first = first;
    *ret_length = length - first < most ? length - first : most;
}

static char *url_path(const struct release_bundle *bundle, const struct metainfo_file *file)
{
    struct buf url;
    size_t length;
    buf_init(&url, 4 * LIMIT_PATH);
    buf_put_text(&url, bundle->base);
    path_encode(file->path, &url);
    buf_put_u8(&url, 0);
    return (char *)buf_take(&url, &length);
}

static bool next_job(struct verify *verify, void *user, struct verify_request *ret)
{
    struct files *files = user;
    uint64_t first, length;
    if (files->at == files->count)
        return false;
    struct job *job = &files->jobs[files->at++];
    const struct metainfo_file *file = file_of(verify, job);
    const struct release_bundle *bundle = &verify->release->bundles[job->bundle];
    span_of_job(verify, job, &first, &length);
    mem_free(files->url);
    mem_free(files->disk);
    files->url = url_path(bundle, file);
    files->disk = mem_printf("%s%s", bundle->base, file->path);
    ret->path = files->url;
    ret->disk = files->disk;
    ret->has_range = length < file->length;
    ret->first = first;
    ret->last = first + length - 1;
    ret->max = length;
    ret->tag = job;
    return true;
}

/* --- replies */

static void look_at_type(struct verify *verify, const struct verify_reply *reply, const char *want)
{
    char type[LIMIT_MEDIA_TYPE + 1];
    size_t length = strcspn(want, "; \t");
    verify_media_type(reply, type);
    if (strlen(type) != length || strncasecmp(type, want, length) != 0)
        verify_add(&verify->report, VERIFY_FAULT, "type", reply->url,
                   "let the server say the same (`fringe snippet` prints how), or publish with "
                   "--type",
                   "Content-Type: %s; through Fringe it is %s", type[0] != '\0' ? type : "(none)",
                   want);
    if (verify_header(reply, "X-Content-Type-Options", 0) == NULL)
        verify_add(&verify->report, VERIFY_WARNING, "nosniff", reply->url,
                   "send X-Content-Type-Options: nosniff, as Fringe does",
                   "no X-Content-Type-Options");
}

/* A page must not be able to tell whether a file came through Fringe. */
static void look_at_headers(struct verify *verify, const struct verify_reply *reply)
{
    const struct release *release = verify->release;
    for (size_t i = 0; i < release->header_count; i++) {
        const char *value = verify_header(reply, release->headers[i].name, 0);
        if (value == NULL || strcmp(value, release->headers[i].value) != 0)
            verify_add(&verify->report, VERIFY_FAULT, "header", reply->url,
                       "let the server send it as well, or publish without it",
                       "%s: %.200s; through Fringe it is %.200s", release->headers[i].name,
                       value != NULL ? value : "(none)", release->headers[i].value);
    }
}

/* False when the body is not the part that was asked for. */
static bool look_at_range(struct verify *verify, const struct verify_reply *reply)
{
    const struct verify_request *request = reply->request;
    const char *value = verify_header(reply, "Content-Range", 0);
    uint64_t first, last, total;
    if (!request->has_range || verify->on_disk)
        return true;
    if (reply->status == 200) {
        verify_add(&verify->report, VERIFY_FAULT, "ranges", reply->url,
                   "let the server honour Range: visitors would fetch whole files for a piece",
                   "the whole file (status 200) although a part was asked for");
        return false;
    }
    if (!http_content_range_parse(value, &first, &last, &total) || first != request->first ||
        last != request->last) {
        verify_add(&verify->report, VERIFY_FAULT, "ranges", reply->url,
                   "let the server answer the range that was asked for", "Content-Range: %.200s",
                   value != NULL ? value : "(none)");
        return false;
    }
    return true;
}

static const char wrong_bytes[] =
    "upload the file as it was published; if it has changed since then, publish again";

/* Of a part the server says how long the whole is. */
static bool look_at_total(struct verify *verify, const struct verify_reply *reply, uint64_t length)
{
    uint64_t first, last, total;
    if (!reply->request->has_range || verify->on_disk ||
        !http_content_range_parse(verify_header(reply, "Content-Range", 0), &first, &last,
                                  &total) ||
        total == UINT64_MAX || total == length)
        return true;
    verify_add(&verify->report, VERIFY_FAULT, "length", reply->url, wrong_bytes,
               "%llu bytes instead of %llu", (unsigned long long)total, (unsigned long long)length);
    return false;
}

static bool piece_is_right(const struct metainfo *meta, const struct metainfo_file *file,
                           uint32_t piece, const uint8_t *data, size_t length)
{
    uint8_t hash[HASH_LENGTH];
    merkle_piece(data, length, file->length, meta->piece_length, hash);
    return memcmp(hash, metainfo_piece_hash(meta, file->first_piece + piece), HASH_LENGTH) == 0;
}

static void look_at_bytes(struct verify *verify, const struct verify_reply *reply,
                          const struct job *job)
{
    const struct metainfo *meta = verify->torrents[job->bundle];
    const struct metainfo_file *file = &meta->files[job->file];
    uint64_t first, length;
    span_of_job(verify, job, &first, &length);
    if (reply->too_long || reply->body.length != length) {
        verify_add(&verify->report, VERIFY_FAULT, "length", reply->url, wrong_bytes,
                   "%s%zu bytes instead of %llu", reply->too_long ? "more than " : "",
                   reply->body.length, (unsigned long long)length);
        return;
    }
    for (uint64_t at = 0; at < length; at += meta->piece_length) {
        size_t step = length - at < meta->piece_length ? (size_t)(length - at) : meta->piece_length;
        uint32_t piece = job->first + (uint32_t)(at / meta->piece_length);
        if (!piece_is_right(meta, file, piece, reply->body.data + at, step)) {
            verify_add(&verify->report, VERIFY_FAULT, "bytes", reply->url, wrong_bytes,
                       "bytes %llu to %llu are not those of the release",
                       (unsigned long long)(first + at),
                       (unsigned long long)(first + at + step - 1));
            return;
        }
    }
    verify->checked_bytes += length;
}

static bool came_whole(struct verify *verify, const struct verify_reply *reply, uint64_t length)
{
    if (reply->error[0] == '\0')
        return true;
    verify_add(&verify->report, VERIFY_FAULT, "broken-off", reply->url,
               "look at the server's log: it, or something in front of it, ended the connection",
               "after %zu of %llu bytes: %.200s", reply->body.length, (unsigned long long)length,
               reply->error);
    return false;
}

static void got_job(struct verify *verify, void *user, const struct verify_reply *reply)
{
    struct files *files = user;
    const struct job *job = reply->request->tag;
    const struct metainfo_file *file = file_of(verify, job);
    uint64_t first, length;
    span_of_job(verify, job, &first, &length);
    files->done += (uint64_t)job->pieces * verify->torrents[job->bundle]->piece_length;
    progress_show(&files->progress, files->done);
    files->ranges_seen |= reply->request->has_range;
    if (job->first == 0)
        verify->checked_files++;
    if (!came_whole(verify, reply, length) || !verify_reply_is_good(verify, reply))
        return;
    if (job->first == 0 && !verify->on_disk) {
        look_at_type(verify, reply, release_media_type(verify->release, reply->request->path));
        look_at_headers(verify, reply);
    }
    if (look_at_range(verify, reply) && look_at_total(verify, reply, file->length))
        look_at_bytes(verify, reply, job);
}

/* Where all files are short, one byte of one of them. */
static void try_a_range(struct verify *verify, const struct files *files)
{
    for (size_t i = 0; i < files->count && !files->ranges_seen && !verify->on_disk; i++) {
        const struct metainfo_file *file = file_of(verify, &files->jobs[i]);
        if (file->length < 2)
            continue;
        char *path = url_path(&verify->release->bundles[files->jobs[i].bundle], file);
        struct verify_request request = {.path = path, .has_range = true, .max = 1};
        struct verify_reply reply;
        if (verify_get(verify, &request, &reply) && (reply.status == 200 || reply.status == 206))
            look_at_range(verify, &reply);
        verify_reply_done(&reply);
        mem_free(path);
        return;
    }
}

void verify_files(struct verify *verify)
{
    struct files files = {0};
    size_t count = verify->release->bundle_count;
    verify->torrents = mem_calloc(count, sizeof(struct metainfo *));
    for (size_t i = 0; i < count && !verify->gone; i++) {
        verify->files += verify->release->bundles[i].files;
        get_torrent(verify, i);
        if (verify->torrents[i] != NULL)
            add_bundle(verify, &files, (uint32_t)i);
    }
    progress_init(&files.progress, "checking", files.bytes);
    verify_get_all(verify, next_job, got_job, &files);
    progress_end(&files.progress);
    if (verify->gone)
        verify_add(&verify->report, VERIFY_FAULT, "gone", verify->site,
                   "look at the server, and verify again",
                   "the site stopped answering; %zu of %zu requests were not made",
                   files.count - files.at, files.count);
    else
        try_a_range(verify, &files);
    mem_free(files.url);
    mem_free(files.disk);
    mem_free(files.jobs);
}
