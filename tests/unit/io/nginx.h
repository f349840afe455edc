/* A real nginx for tests of the HTTP client: on loopback, with TLS, HTTP/2 and a certificate
 * authority made for the occasion. It dies with the test: it stays in the process group that
 * Check ends. */
#pragma once

#include "check_main.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct nginx {
    char folder[64], ca[96], other_ca[96], access_log[96];
    uint16_t tls_port, plain_port;
    pid_t pid;
};

static inline uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline bool port_answers(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool answers = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    return answers;
}

static inline void nginx_run_script(const struct nginx *nginx, const char *script)
{
    char command[4096];

    snprintf(command, sizeof command, "cd %s && { %s\n} >setup.log 2>&1", nginx->folder, script);
    ck_assert_msg(system(command) == 0, "see %s/setup.log", nginx->folder);
}

static inline void nginx_make_certificates(const struct nginx *nginx)
{
    nginx_run_script(
        nginx,
        "ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        " -subj \"/CN=test $1\" -keyout $1.key -out $1.pem; };"
        " ca ca && ca other-ca && printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' >ext &&"
        " openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
        " -keyout site.key -out site.csr &&"
        " openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
        " -extfile ext -out site.pem;");
}

static inline void nginx_configure(const struct nginx *nginx, const char *locations)
{
    char name[128];
    FILE *file;

    snprintf(name, sizeof name, "%s/nginx.conf", nginx->folder);
    file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "daemon off; master_process off; pid nginx.pid; error_log error.log;\n"
            "events { worker_connections 256; }\n"
            "http { log_format f '$connection $server_protocol $status $request_uri"
            " \"$http_user_agent\" \"$http_accept_encoding\" \"$http_cookie\"';\n"
            "access_log access.log f; keepalive_requests 100000; default_type text/plain;\n"
            "client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t;\n"
            "scgi_temp_path t;\n"
            "server { listen 127.0.0.1:%u; listen 127.0.0.1:%u ssl http2; root www;\n"
            "ssl_certificate site.pem; ssl_certificate_key site.key;\n%s\n} }\n",
            nginx->plain_port, nginx->tls_port, locations);
    fclose(file);
}

/* Fails by name when there is no nginx: a test that cannot run has not passed. */
static inline void nginx_start(struct nginx *nginx, const char *locations)
{
    memset(nginx, 0, sizeof *nginx);
    ck_assert_msg(system("PATH=$PATH:/usr/sbin; command -v nginx >/dev/null") == 0,
                  "nginx is missing: install the package nginx-light");
    strcpy(nginx->folder, "/tmp/fringe-nginx-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(nginx->folder));
    snprintf(nginx->ca, sizeof nginx->ca, "%s/ca.pem", nginx->folder);
    snprintf(nginx->other_ca, sizeof nginx->other_ca, "%s/other-ca.pem", nginx->folder);
    snprintf(nginx->access_log, sizeof nginx->access_log, "%s/access.log", nginx->folder);
    nginx->tls_port = free_port();
    nginx->plain_port = free_port();
    nginx_make_certificates(nginx);
    nginx_configure(nginx, locations);
    nginx_run_script(nginx, "mkdir -p www t && printf 0123456789 >www/ten &&"
                            " head -c 3000000 /dev/zero >www/big;");
    nginx->pid = fork();
    if (nginx->pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 2);
        setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
        execlp("nginx", "nginx", "-p", nginx->folder, "-c", "nginx.conf", "-e", "error.log",
               (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && !port_answers(nginx->tls_port); i++)
        usleep(20000);
    ck_assert_msg(port_answers(nginx->tls_port), "nginx did not start: see %s", nginx->folder);
}

static inline void nginx_stop(struct nginx *nginx)
{
    char command[128];

    kill(nginx->pid, SIGTERM);
    waitpid(nginx->pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf %s", nginx->folder);
    ck_assert_int_eq(system(command), 0);
}

static inline char *nginx_read_log(const struct nginx *nginx)
{
    static char text[65536];
    FILE *file = fopen(nginx->access_log, "r");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}
