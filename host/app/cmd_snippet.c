/* fringe snippet: what a web server has to say for the release in a web root: the label on pages,
 * media types and headers as hosts give them, caching that lets a new release through. */
#include "app/cmd.h"
#include "app/key_file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wire/release.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char usage[] =
    "usage: fringe snippet nginx|apache WEBROOT\n"
    "  Prints the part of a web server's configuration that goes with the release in WEBROOT: the\n"
    "  label for the pages, media types and headers. Print it anew after each `fringe publish`,\n"
    "  and load it when the release has been uploaded, as the last step:\n"
    "\n"
    "    fringe snippet nginx webroot/ > /etc/nginx/snippets/fringe.conf && nginx -s reload\n"
    "      (in the site's server block: include snippets/fringe.conf;)\n"
    "    fringe snippet apache webroot/ > /etc/apache2/conf-available/fringe.conf &&\n"
    "      apachectl graceful   (in the site's <VirtualHost>: Include conf-available/fringe.conf;\n"
    "      with mod_headers and mod_mime)\n";

static const struct option long_options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

/* Text between double quotes of either server's configuration. */
static void put_quoted(struct buf *out, const char *text)
{
    buf_put_u8(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)*text);
    }
    buf_put_u8(out, '"');
}

static bool is_overridden(const struct release *release, const char *suffix)
{
    for (size_t i = 0; i < release->type_count; i++) {
        if (strcasecmp(release->types[i].name, suffix) == 0)
            return true;
    }
    return false;
}

/* --- nginx */

static void nginx_header(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "    add_header %s ", name);
    put_quoted(out, value);
    buf_put_text(out, " always;\n");
}

static void nginx_file(struct buf *out, const char *path, const char *type)
{
    buf_printf(out, "location = %s {\n    types { }\n    default_type %s;\n", path, type);
    nginx_header(out, "Cache-Control", "no-cache");
    nginx_header(out, "X-Content-Type-Options", "nosniff");
    buf_put_text(out, "}\n");
}

static void nginx_types(struct buf *out, const struct release *release)
{
    const char *suffix, *type;
    buf_put_text(out, "    types {\n");
    for (size_t i = 0; media_type_row(i, &suffix, &type); i++) {
        if (!is_overridden(release, suffix))
            buf_printf(out, "        %s %s;\n", type, suffix + 1);
    }
    /* Only the last part of a name is a suffix there; parameters need quotes. */
    for (size_t i = 0; i < release->type_count; i++) {
        buf_put_text(out, "        ");
        put_quoted(out, release->types[i].value);
        buf_printf(out, " %s;\n", release->types[i].name + 1);
    }
    buf_put_text(out, "    }\n    default_type application/octet-stream;\n");
}

static void nginx_base(struct buf *out, const struct release *release, const char *base)
{
    buf_put_text(out, "location ^~ ");
    put_quoted(out, base);
    buf_put_text(out, " {\n");
    nginx_types(out, release);
    nginx_header(out, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < release->header_count; i++)
        nginx_header(out, release->headers[i].name, release->headers[i].value);
    buf_put_text(out, "}\n");
}

static void nginx(struct buf *out, const struct release *release)
{
    buf_printf(
        out,
        "# The label. A location with an add_header of its own needs this line as well.\n"
        "add_header Link '</.well-known/fringe/release.json>; rel=\"fringe\"; seq=%llu';\n\n",
        (unsigned long long)release->seq);
    nginx_file(out, "/fringe-sw.js", "text/javascript");
    nginx_file(out, "/.well-known/fringe/release.json", "application/json");
    nginx_file(out, "/.well-known/fringe/release.json.minisig", "text/plain");
    nginx_file(out, "/.well-known/fringe/key.pub", "text/plain");
    nginx_file(out, "/.well-known/fringe/enter.html", "text/html");
    buf_put_text(out, "location ^~ /.well-known/fringe/ {\n    types { }\n"
                      "    default_type application/x-bittorrent;\n");
    nginx_header(out, "Cache-Control", "public, max-age=31536000, immutable");
    buf_put_text(out, "}\n\n# The shared files. If you have such a location already, put these "
                      "lines into it instead.\n");
    for (size_t i = 0; i < release->bundle_count; i++)
        nginx_base(out, release, release->bundles[i].base);
    if (release->catalog.base != NULL)
        nginx_base(out, release, release->catalog.base);
}

/* --- Apache */

/* Values of Header are formats: a percent sign is written twice. */
static void apache_header(struct buf *out, const char *name, const char *value)
{
    struct buf text;
    buf_init(&text, 2 * LIMIT_HEADER_VALUE + 1);
    for (; *value != '\0'; value++) {
        if (*value == '%')
            buf_put_u8(&text, '%');
        buf_put_u8(&text, (uint8_t)*value);
    }
    buf_put_u8(&text, 0);
    buf_printf(out, "    Header set %s ", name);
    put_quoted(out, (char *)text.data);
    buf_put_text(out, "\n");
    buf_done(&text);
}

static void apache_open(struct buf *out, const char *path)
{
    buf_put_text(out, "<Location ");
    put_quoted(out, path);
    buf_put_text(out, ">\n");
}

static void apache_file(struct buf *out, const char *path, const char *type)
{
    apache_open(out, path);
    buf_printf(out, "    ForceType %s\n", type);
    apache_header(out, "Cache-Control", "no-cache");
    apache_header(out, "X-Content-Type-Options", "nosniff");
    buf_put_text(out, "</Location>\n");
}

static void apache_type(struct buf *out, const char *suffix, const char *type)
{
    buf_put_text(out, "    AddType ");
    put_quoted(out, type);
    buf_printf(out, " %s\n", suffix);
}

static void apache_base(struct buf *out, const struct release *release, const char *base)
{
    const char *suffix, *type;
    apache_open(out, base);
    for (size_t i = 0; media_type_row(i, &suffix, &type); i++) {
        if (!is_overridden(release, suffix))
            apache_type(out, suffix, type);
    }
    for (size_t i = 0; i < release->type_count; i++)
        apache_type(out, release->types[i].name, release->types[i].value);
    /* A file .gz is a file, not another one in an encoding. */
    buf_put_text(out, "    RemoveEncoding .gz .tgz .Z .br\n"
                      "    Header set Content-Type application/octet-stream "
                      "\"expr=-z %{CONTENT_TYPE}\"\n");
    apache_header(out, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < release->header_count; i++)
        apache_header(out, release->headers[i].name, release->headers[i].value);
    buf_put_text(out, "</Location>\n");
}

static void apache(struct buf *out, const struct release *release)
{
    buf_printf(out,
               "# The label, for pages.\n"
               "Header add Link \"</.well-known/fringe/release.json>; rel=\\\"fringe\\\"; "
               "seq=%llu\" \"expr=%%{CONTENT_TYPE} =~ m#^text/html#\"\n\n",
               (unsigned long long)release->seq);
    apache_open(out, "/.well-known/fringe/");
    buf_put_text(out, "    ForceType application/x-bittorrent\n");
    apache_header(out, "Cache-Control", "public, max-age=31536000, immutable");
    buf_put_text(out, "</Location>\n");
    apache_file(out, "/fringe-sw.js", "text/javascript");
    apache_file(out, "/.well-known/fringe/release.json", "application/json");
    apache_file(out, "/.well-known/fringe/release.json.minisig", "text/plain");
    apache_file(out, "/.well-known/fringe/key.pub", "text/plain");
    apache_file(out, "/.well-known/fringe/enter.html", "text/html");
    buf_put_text(out, "\n# The shared files.\n");
    for (size_t i = 0; i < release->bundle_count; i++)
        apache_base(out, release, release->bundles[i].base);
    if (release->catalog.base != NULL)
        apache_base(out, release, release->catalog.base);
}

/* --- the command */

/* What neither server can say in these few lines. */
static void warn_of(const struct release *release, bool is_nginx)
{
    for (size_t i = 0; i < release->type_count; i++) {
        if (strchr(release->types[i].name + 1, '.') != NULL)
            cmd_warn("web servers know only the last part of a suffix: see to %s (%s) yourself",
                     release->types[i].name, release->types[i].value);
    }
    for (size_t i = 0; is_nginx && i < release->header_count; i++) {
        if (strchr(release->headers[i].value, '$') != NULL)
            cmd_warn("nginx takes $ for a variable: see to the header %s yourself",
                     release->headers[i].name);
    }
}

static bool print(const struct release *release, bool is_nginx)
{
    struct buf out;
    buf_init(&out, MIB(4));
    buf_printf(&out,
               "# Release %llu of %s, by `fringe snippet`: print it anew after each "
               "`fringe publish`.\n",
               (unsigned long long)release->seq, release->site);
    if (is_nginx)
        nginx(&out, release);
    else
        apache(&out, release);
    warn_of(release, is_nginx);
    bool good = !out.failed && fwrite(out.data, 1, out.length, stdout) == out.length;
    buf_done(&out);
    return good;
}

static bool load(const char *root, struct release **ret)
{
    struct buf file;
    struct reason reason;
    char *path = mem_printf("%s/.well-known/fringe/release.json", root);
    bool good = file_read(path, LIMIT_RELEASE, &file);
    if (good && release_parse(file.data, file.length, ret, &reason) != ERR_OK)
        good = cmd_fail("%s is no release (%s): publish again", path, reason.text) == CMD_OK;
    buf_done(&file);
    mem_free(path);
    return good;
}

int cmd_snippet(int argc, char **argv)
{
    struct release *release = NULL;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
        return cmd_bad_option(argv[0], option, argv, long_options);
    }
    if (optind + 2 != argc)
        return cmd_missing(argv[0],
                           "which server, and which folder? `fringe snippet nginx webroot/`");
    bool is_nginx = strcmp(argv[optind], "nginx") == 0;
    if (!is_nginx && strcmp(argv[optind], "apache") != 0) {
        cmd_fail("%s: nginx or apache; other servers have to say the same things", argv[optind]);
        return CMD_USAGE;
    }
    bool good = load(argv[optind + 1], &release) && print(release, is_nginx);
    release_free(release);
    return good ? CMD_OK : CMD_FAILED;
}
