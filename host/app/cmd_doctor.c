/* fringe doctor: what is wrong with this installation, and what to do. */
#include "app/cmd.h"
#include "app/doctor.h"
#include "base/paths.h"
#include "wire/json.h"
#include "wire/native_frame.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: fringe doctor [--json] [--socket PATH] [--root DIR]\n"
    "Looks at the programs, each browser's way to them, the running host, the cache, ports and "
    "the\n"
    "clock, and changes nothing. Each line: ok, warn or fail, what was seen, and what to do.\n"
    "The status is 1 when something failed.\n"
    "  --json          the same for programs (host/PROTOCOL.md, section 2)\n"
    "  --socket PATH   of the host (default: where browsers start it)\n"
    "  --root DIR      look below DIR for what all users have: manifests, Snap, Flatpak\n"
    "  --native FRAME  answer a browser's request, as native messaging has it; fringe-native does "
    "so\n";

enum { OPT_JSON = 256, OPT_SOCKET, OPT_ROOT, OPT_NATIVE, OPT_HELP };

static const struct option options[] = {
    {"json", no_argument, NULL, OPT_JSON},       {"socket", required_argument, NULL, OPT_SOCKET},
    {"root", required_argument, NULL, OPT_ROOT}, {"native", required_argument, NULL, OPT_NATIVE},
    {"help", no_argument, NULL, OPT_HELP},       {NULL, 0, NULL, 0},
};

struct wishes {
    bool json;
    const char *socket, *root, *native;
};

/* --- where things are */

static bool find_places(struct doctor *doctor, const struct wishes *wishes)
{
    const char *config = paths_env("XDG_CONFIG_HOME", true);

    doctor->root = wishes->root != NULL ? wishes->root : "";
    doctor->home = paths_env("HOME", true);
    if (config != NULL)
        snprintf(doctor->config, sizeof doctor->config, "%s", config);
    else if (doctor->home != NULL)
        snprintf(doctor->config, sizeof doctor->config, "%s/.config", doctor->home);
    bool good = wishes->socket != NULL
                    ? paths_join(doctor->socket, sizeof doctor->socket, wishes->socket, "", "")
                    : paths_socket(doctor->socket, sizeof doctor->socket);
    return good && paths_data(doctor->data, sizeof doctor->data);
}

static void examine(struct doctor *doctor, const struct wishes *wishes)
{
    bool placed = find_places(doctor, wishes);

    doctor_programs(doctor);
    doctor_browsers(doctor);
    if (!placed) {
        doctor_fail(&doctor->report, "places", "set HOME",
                    "nothing says where the socket and the cache are");
        return;
    }
    doctor_host(doctor);
    doctor_store(doctor);
    doctor_ports(doctor);
    doctor_health(doctor);
}

/* --- saying it */

static bool print(const struct buf *out)
{
    return fwrite(out->data, 1, out->length, stdout) == out->length && fflush(stdout) == 0;
}

static bool answer_browser(const struct doctor *doctor, uint64_t id)
{
    struct buf json, frame;

    buf_init(&json, LIMIT_FRAME_OUT);
    buf_init(&frame, LIMIT_FRAME_OUT + NATIVE_FRAME_HEADER);
    doctor_report_answer(&doctor->report, id, &json);
    native_frame_encode(span_of(json.data, json.length), &frame);
    bool good = print(&frame);
    buf_done(&json);
    buf_done(&frame);
    return good;
}

static bool tell(const struct doctor *doctor, bool json)
{
    struct buf out;

    buf_init(&out, LIMIT_FRAME_OUT + 1);
    if (json) {
        doctor_report_answer(&doctor->report, 1, &out);
        buf_put_u8(&out, '\n');
    } else
        doctor_report_text(&doctor->report, &out);
    bool good = print(&out);
    buf_done(&out);
    return good;
}

/* --- what is wanted */

/* {"id": N, "type": "doctor"} */
static bool read_request(const char *text, uint64_t *ret_id)
{
    json_t *request = NULL;
    bool good = strlen(text) <= LIMIT_FRAME_IN &&
                json_load_object(text, strlen(text), &request) == ERR_OK &&
                json_get_integer(request, "id", 1, JSON_INTEGER_MAX, ret_id) == ERR_OK &&
                strcmp(client_text(request, "type", ""), "doctor") == 0;

    json_decref(request);
    return good;
}

static bool read_options(int argc, char **argv, struct wishes *ret, int *ret_status)
{
    int option;

    opterr = 0;
    *ret_status = CMD_USAGE;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == OPT_JSON)
            ret->json = true;
        else if (option == OPT_SOCKET)
            ret->socket = optarg;
        else if (option == OPT_ROOT)
            ret->root = optarg;
        else if (option == OPT_NATIVE)
            ret->native = optarg;
        else if (option == OPT_HELP) {
            *ret_status = fputs(usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
            return false;
        } else {
            cmd_bad_option("doctor", option, argv, options);
            return false;
        }
    }
    if (optind == argc)
        return true;
    cmd_usage(usage);
    return false;
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor *doctor = &(struct doctor){0};
    struct wishes wishes = {0};
    uint64_t id = 0;
    int status;

    if (!read_options(argc, argv, &wishes, &status))
        return status;
    if (wishes.native != NULL && !read_request(wishes.native, &id))
        return cmd_fail("that is no request for a doctor");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    doctor->from_browser = wishes.native != NULL;
    examine(doctor, &wishes);
    bool told = id != 0 ? answer_browser(doctor, id) : tell(doctor, wishes.json);
    bool well = doctor_report_worst(&doctor->report) != FINDING_FAIL;
    json_decref(doctor->status);
    client_free(doctor->client);
    doctor_report_done(&doctor->report);
    return told && well ? CMD_OK : CMD_FAILED;
}
