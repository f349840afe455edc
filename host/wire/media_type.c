/* The built-in table of media types: what browsers need to know a file by its suffix. A site
 * overrides single rows with `types` in its release. */
#include "wire/url.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *suffix, *type;
} table[] = {
    /* Documents, code, data. */
    {".css", "text/css"},
    {".csv", "text/csv"},
    {".htm", "text/html"},
    {".html", "text/html"},
    {".js", "text/javascript"},
    {".json", "application/json"},
    {".jsonld", "application/ld+json"},
    {".map", "application/json"},
    {".md", "text/markdown"},
    {".mjs", "text/javascript"},
    {".pdf", "application/pdf"},
    {".txt", "text/plain"},
    {".vtt", "text/vtt"},
    {".wasm", "application/wasm"},
    {".webmanifest", "application/manifest+json"},
    {".xhtml", "application/xhtml+xml"},
    {".xml", "application/xml"},
    /* Images. */
    {".apng", "image/apng"},
    {".avif", "image/avif"},
    {".bmp", "image/bmp"},
    {".cur", "image/x-icon"},
    {".gif", "image/gif"},
    {".ico", "image/x-icon"},
    {".jfif", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".jpg", "image/jpeg"},
    {".jxl", "image/jxl"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".tif", "image/tiff"},
    {".tiff", "image/tiff"},
    {".webp", "image/webp"},
    /* Sound and film. */
    {".aac", "audio/aac"},
    {".flac", "audio/flac"},
    {".m3u8", "application/vnd.apple.mpegurl"},
    {".m4a", "audio/mp4"},
    {".m4s", "video/iso.segment"},
    {".m4v", "video/mp4"},
    {".mid", "audio/midi"},
    {".mkv", "video/x-matroska"},
    {".mov", "video/quicktime"},
    {".mp3", "audio/mpeg"},
    {".mp4", "video/mp4"},
    {".mpd", "application/dash+xml"},
    {".oga", "audio/ogg"},
    {".ogg", "audio/ogg"},
    {".ogv", "video/ogg"},
    {".opus", "audio/ogg"},
    {".ts", "video/mp2t"},
    {".wav", "audio/wav"},
    {".weba", "audio/webm"},
    {".webm", "video/webm"},
    /* Fonts. */
    {".eot", "application/vnd.ms-fontobject"},
    {".otf", "font/otf"},
    {".ttc", "font/collection"},
    {".ttf", "font/ttf"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    /* Models, archives. */
    {".glb", "model/gltf-binary"},
    {".gltf", "model/gltf+json"},
    {".gz", "application/gzip"},
    {".obj", "model/obj"},
    {".stl", "model/stl"},
    {".zip", "application/zip"},
};

bool media_type_row(size_t index, const char **ret_suffix, const char **ret_type)
{
    if (index >= sizeof table / sizeof table[0])
        return false;
    *ret_suffix = table[index].suffix;
    *ret_type = table[index].type;
    return true;
}

const char *media_type(const char *path)
{
    const char *name = strrchr(path, '/');
    const char *suffix = strrchr(name != NULL ? name : path, '.');
    if (suffix != NULL) {
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            if (strcasecmp(table[i].suffix, suffix) == 0)
                return table[i].type;
        }
    }
    return "application/octet-stream";
}
