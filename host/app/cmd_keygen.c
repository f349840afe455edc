/* fringe keygen: a minisign key pair, as stock minisign makes them. */
#include "app/cmd.h"
#include "app/key_file.h"
#include "app/write_file.h"
#include "base/limits.h"
#include "base/mem.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: fringe keygen --out PREFIX [--password-file FILE | --no-password]\n"
    "  --out PREFIX          writes PREFIX.key (secret) and PREFIX.pub (for everyone)\n"
    "  --password-file FILE  its first line protects the secret key (default: ask)\n"
    "  --no-password         whoever has the secret key file can sign\n";

static const struct option options[] = {
    {"out", required_argument, NULL, 'o'},
    {"password-file", required_argument, NULL, 'p'},
    {"no-password", no_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool write_pair(const char *secret_path, const char *public_path, const char *password,
                       struct minisign_key *ret_key)
{
    uint8_t random[40], salt[32];
    struct minisign_secret secret;
    struct buf secret_text, public_text;
    buf_init(&secret_text, LIMIT_PUBLIC_KEY);
    buf_init(&public_text, LIMIT_PUBLIC_KEY);
    randombytes_buf(random, sizeof random);
    randombytes_buf(salt, sizeof salt);
    minisign_keypair(random, &secret, ret_key);
    enum err err = minisign_secret_write(&secret, password, salt, &secret_text);
    minisign_key_write(ret_key, &public_text);
    bool good = err == ERR_OK;
    if (!good)
        cmd_fail("cannot protect the key with the password: %s", err_text(err));
    good = good && write_file(secret_path, secret_text.data, secret_text.length, 0600) &&
           write_file(public_path, public_text.data, public_text.length, 0644);
    sodium_memzero(random, sizeof random);
    sodium_memzero(&secret, sizeof secret);
    if (secret_text.data != NULL)
        sodium_memzero(secret_text.data, secret_text.length);
    buf_done(&secret_text);
    buf_done(&public_text);
    return good;
}

static int make_pair(const char *prefix, const char *password_file, bool no_password)
{
    struct minisign_key key;
    char text[57], *password = NULL;
    char *secret_path = mem_printf("%s.key", prefix), *public_path = mem_printf("%s.pub", prefix);
    int status = CMD_FAILED;
    /* Overwriting a key means that its site can never be signed again. */
    if (access(secret_path, F_OK) == 0)
        cmd_fail("%s is there already: choose another --out, or move it away", secret_path);
    else if (!no_password && (password = key_file_password(password_file, true)) == NULL)
        status = CMD_FAILED;
    else if (password != NULL && password[0] == '\0')
        cmd_fail("an empty password protects nothing: use --no-password if that is what you want");
    else if (write_pair(secret_path, public_path, password, &key))
        status = CMD_OK;
    if (status == CMD_OK) {
        minisign_key_base64(&key, text);
        cmd_print("secret key: %s   keep it safe and off the web server: a site whose key is "
                  "lost has to start over",
                  secret_path);
        cmd_print("public key: %s   %s", public_path, text);
    }
    key_file_wipe(password);
    mem_free(secret_path);
    mem_free(public_path);
    return status;
}

static const char *what_is_wrong(const char *prefix, const char *password_file, bool no_password,
                                 int words)
{
    if (words > 0)
        return "keygen takes nothing but options";
    if (prefix == NULL || prefix[0] == '\0')
        return "--out is missing: how the two files are to be called, such as --out mykey";
    if (no_password && password_file != NULL)
        return "--password-file and --no-password exclude each other";
    return NULL;
}

int cmd_keygen(int argc, char **argv)
{
    const char *prefix = NULL, *password_file = NULL;
    bool no_password = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'o')
            prefix = optarg;
        else if (option == 'p')
            password_file = optarg;
        else if (option == 'n')
            no_password = true;
        else if (option == 'h')
            return fputs(usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
        else
            return cmd_bad_option(argv[0], option, argv, options);
    }
    const char *wrong = what_is_wrong(prefix, password_file, no_password, argc - optind);
    if (wrong != NULL)
        return cmd_missing(argv[0], wrong);
    return make_pair(prefix, password_file, no_password);
}
