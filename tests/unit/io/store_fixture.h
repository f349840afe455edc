/* A torrent made by hand, with its content, and a folder for a store. For test_store*.c. */
#pragma once

#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "io/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURE_FILES 2048

struct fixture {
    struct metainfo meta;
    struct metainfo_file files[FIXTURE_FILES];
    uint8_t *content[FIXTURE_FILES];
};

static void fixture_file(struct fixture *fixture, uint64_t length, uint32_t seed)
{
    uint32_t index = fixture->meta.file_count++, piece_length = fixture->meta.piece_length;
    struct metainfo_file *file = &fixture->files[index];
    uint8_t *data = mem_alloc(length + 1), *layer;

    for (uint64_t i = 0; i < length; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 9) + seed * 7 + (seed >> 8));
    fixture->content[index] = data;
    file->path = "x";
    file->length = length;
    file->pieces = (uint32_t)((length + piece_length - 1) / piece_length);
    file->first_piece = fixture->meta.piece_count;
    fixture->meta.piece_count += file->pieces;
    if (length == 0)
        return;
    layer = mem_alloc((size_t)file->pieces * HASH_LENGTH);
    for (uint32_t i = 0; i < file->pieces; i++) {
        uint64_t at = (uint64_t)i * piece_length;
        uint64_t part = length - at < piece_length ? length - at : piece_length;

        merkle_piece(data + at, part, length, piece_length, layer + i * HASH_LENGTH);
    }
    if (file->pieces == 1)
        memcpy(file->root, layer, HASH_LENGTH);
    else
        merkle_file_root(layer, file->pieces, piece_length, file->root);
    file->layer = file->pieces == 1 ? NULL : layer;
    if (file->pieces == 1)
        mem_free(layer);
}

static struct fixture *fixture_new(uint32_t piece_length)
{
    struct fixture *fixture = mem_zalloc(sizeof *fixture);

    fixture->meta.piece_length = piece_length;
    fixture->meta.files = fixture->files;
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    for (uint32_t i = 0; i < fixture->meta.file_count; i++) {
        mem_free(fixture->content[i]);
        mem_free((void *)fixture->files[i].layer);
    }
    mem_free(fixture);
}

/* What the core's effects carry: no pointers into the torrent. */
static struct metainfo_file bare(const struct fixture *fixture, uint32_t index)
{
    struct metainfo_file file = fixture->files[index];

    file.path = NULL;
    file.layer = NULL;
    return file;
}

/* As the hasher does, and then the daemon. */
static enum err fixture_write(struct fixture *fixture, struct store *store, uint32_t index,
                              uint32_t piece)
{
    struct metainfo_file file = bare(fixture, index);
    uint64_t at = (uint64_t)piece * fixture->meta.piece_length;
    uint64_t left = file.length - at;
    size_t length = left < fixture->meta.piece_length ? left : fixture->meta.piece_length;
    int fd;
    enum err err = store_fd(store, &file, fixture->meta.piece_length, &fd);

    if (err != ERR_OK)
        return err;
    store_pin(store, file.root);
    ck_assert_int_eq(pwrite(fd, fixture->content[index] + at, length, (off_t)at), (ssize_t)length);
    store_mark_piece(store, &file, fixture->meta.piece_length, piece);
    store_unpin(store, file.root);
    return ERR_OK;
}

static void fixture_write_all(struct fixture *fixture, struct store *store)
{
    for (uint32_t i = 0; i < fixture->meta.file_count; i++) {
        for (uint32_t piece = 0; piece < fixture->files[i].pieces; piece++)
            ck_assert_int_eq(fixture_write(fixture, store, i, piece), ERR_OK);
    }
}

/* Which pieces the store says it has. */
static uint32_t have_count(struct fixture *fixture, struct store *store)
{
    struct bitfield have;
    uint32_t count;

    ck_assert_int_eq(store_load_have(store, &fixture->meta, &have), ERR_OK);
    ck_assert_uint_eq(have.bits, fixture->meta.piece_count);
    count = have.count;
    bitfield_done(&have);
    return count;
}

static char folder[64];

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static void folder_done(void)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *folder_new(void)
{
    strcpy(folder, "/tmp/fringe-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

static const char *folder_path(const char *below)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, below);
    return path;
}

static const char *content_path(const struct fixture *fixture, uint32_t index)
{
    char hex[HEX_LENGTH(HASH_LENGTH)], below[128];

    hex_encode(hex, fixture->files[index].root, HASH_LENGTH);
    snprintf(below, sizeof below, "content/%.2s/%s", hex, hex);
    return folder_path(below);
}

static struct store *store_at(const char *path)
{
    struct store *store = NULL;

    ck_assert_int_eq(store_open(path, &store), ERR_OK);
    return store;
}
