/* SPDX-License-Identifier: Apache-2.0 */
/* Reads nved.yaml, checks what does not concern ports, numbers or listeners, and joins the rest. */
#include "config.h"

#include "config_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20 };

#define DEFAULT_PIN_DIR "/sys/fs/bpf/nved"
#define DEFAULT_STORE   "/var/lib/nved/nved.db"
#define DEFAULT_VNS     "/etc/nved/vns.yaml"

void nve_config_complain(struct config_check *check, const char *path, const char *text, ...)
{
	va_list args;

	fprintf(check->out, "%s%s:%u: ", check->complaints++ ? "\n" : "", check->file,
		nve_marks_line(check->marks, path));
	va_start(args, text);
	vfprintf(check->out, text, args);
	va_end(args);
}

char *nve_config_strdup(struct config_check *check, const char *value, const char *otherwise)
{
	char *copy = strdup(value ?: otherwise);

	if (!copy)
		check->error = -ENOMEM;
	return copy;
}

bool nve_config_check_name(struct config_check *check, const char *path, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._:/-";

	if (!name) {
		nve_config_complain(check, path, "a name is missing; add 'name: NAME'");
		return false;
	}
	if (*name && strlen(name) <= NVE_NAME_MAX && !name[strspn(name, allowed)])
		return true;
	nve_config_complain(check, path,
			    "'%s' is no name; use 1 to %d letters, digits and . _ : / -", name,
			    NVE_NAME_MAX);
	return false;
}

static void check_absolute(struct config_check *check, const char *path, const char *value)
{
	if (value && *value != '/')
		nve_config_complain(check, path, "'%s' is relative; write the whole path, from /",
				    value);
}

static void check_nve(struct config_check *check)
{
	char host[NVE_NAME_MAX + 2] = { 0 };
	const char *name = check->raw->nve;

	if (!name) {
		gethostname(host, sizeof(host) - 1);
		name = host;
	}
	if (nve_config_check_name(check, "nve", name))
		strcpy(check->config->nve, name);
}

static void check_vtep4(struct config_check *check, const char *text)
{
	struct nve_ip *ip = &check->config->local_vtep;

	if (inet_pton(AF_INET, text, ip->bytes) != 1) {
		nve_config_complain(check, "local_vtep",
				    "local_vtep: '%s' is no IPv4 address; write the underlay "
				    "port's, an IPv6 address is local_vtep6",
				    text);
		return;
	}
	ip->family = 4;
	if (!ip->bytes[0] || ip->bytes[0] >= 224)
		nve_config_complain(check, "local_vtep",
				    "local_vtep: %s is no unicast address; write the underlay "
				    "port's address",
				    text);
}

/* A link-local address has a meaning on one link only, and one in IPv4's clothes is IPv4. */
static void check_vtep6(struct config_check *check, const char *text)
{
	struct nve_ip *ip = &check->config->local_vtep6;
	struct in6_addr addr;

	if (inet_pton(AF_INET6, text, &addr) != 1) {
		nve_config_complain(check, "local_vtep6",
				    "local_vtep6: '%s' is no IPv6 address; write the underlay "
				    "port's, an IPv4 address is local_vtep",
				    text);
		return;
	}
	ip->family = 6;
	memcpy(ip->bytes, &addr, sizeof(addr));
	if (IN6_IS_ADDR_UNSPECIFIED(&addr) || IN6_IS_ADDR_MULTICAST(&addr) ||
	    IN6_IS_ADDR_LINKLOCAL(&addr) || IN6_IS_ADDR_V4MAPPED(&addr))
		nve_config_complain(check, "local_vtep6",
				    "local_vtep6: %s is no global unicast address; write the "
				    "underlay port's address",
				    text);
}

static void check_vtep(struct config_check *check)
{
	if (!check->raw->local_vtep && !check->raw->local_vtep6)
		nve_config_complain(check, "local_vtep",
				    "local_vtep is missing; add this NVE's underlay address, or "
				    "local_vtep6");
	if (check->raw->local_vtep)
		check_vtep4(check, check->raw->local_vtep);
	if (check->raw->local_vtep6)
		check_vtep6(check, check->raw->local_vtep6);
}

static bool in_list(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

/* The name of a backend; 'list' are those there are, the first being the default. */
static char *check_backend(struct config_check *check, const char *path, const char *name,
			   const char *const *list)
{
	char words[128] = "";

	if (name && !in_list(name, list)) {
		for (const char *const *p = list; *p; p++)
			snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s",
				 p == list ? "" : " or ", *p);
		nve_config_complain(check, path, "'%s' is not known; write %s", name, words);
	}
	return nve_config_strdup(check, name, *list);
}

static void check_backends(struct config_check *check, const struct nve_config_backends *backends)
{
	const struct raw_config *raw = check->raw;
	struct nve_config *config = check->config;

	config->datapath = check_backend(check, "datapath", raw->datapath, backends->datapath);
	config->store = check_backend(check, "store/backend", raw->store.backend, backends->store);
	config->nva = check_backend(check, "nva/backend", raw->nva.backend, backends->nva);
	config->pin_dir = nve_config_strdup(check, raw->pin_dir, DEFAULT_PIN_DIR);
	config->nva_source = nve_config_strdup(check, raw->nva.source, DEFAULT_VNS);
	check_absolute(check, "pin_dir", raw->pin_dir);
	check_absolute(check, "nva/source", raw->nva.source);
	check_absolute(check, "store/path", raw->store.path);
	if (raw->pin_dir && strchr(strrchr(raw->pin_dir, '/') ?: "", '.'))
		nve_config_complain(check, "pin_dir",
				    "pin_dir: the BPF file system refuses a '.' in a name; choose "
				    "another");
	config->durability =
		raw->store.durability == RAW_PROCESS ? NVE_DURABLE_PROCESS : NVE_DURABLE_POWER;
	if (!config->store || strcmp(config->store, "memory"))
		config->store_path = nve_config_strdup(check, raw->store.path, DEFAULT_STORE);
	else if (raw->store.path)
		nve_config_complain(
			check, "store/path",
			"the memory store has no path; remove it, or 'backend: memory'");
}

static void check_log(struct config_check *check)
{
	static const enum nve_log_level levels[] = {
		[0] = NVE_LOG_INFO,
		[RAW_ERROR] = NVE_LOG_ERROR,
		[RAW_WARNING] = NVE_LOG_WARNING,
		[RAW_INFO] = NVE_LOG_INFO,
		[RAW_DEBUG] = NVE_LOG_DEBUG,
	};

	check->config->log_level = levels[check->raw->log.level];
}

static int check_all(struct config_check *check, const struct nve_config_backends *backends)
{
	check_nve(check);
	check_vtep(check);
	check_backends(check, backends);
	nve_config_check_numbers(check);
	nve_config_check_listeners(check);
	nve_config_check_policy(check);
	nve_config_check_tls(check);
	nve_config_check_ports(check);
	nve_config_check_reconcile(check);
	check_log(check);
	check->config->sandbox = check->raw->sandbox != RAW_OFF;
	nve_config_check_audit(check);
	if (check->error)
		return check->error;
	return check->complaints ? -EINVAL : 0;
}

/* Complaints of the two parsers have one line; those of the check come as text. */
static int say(const char *file, unsigned line, char *what, int r, char **err)
{
	if (r == -EINVAL && asprintf(err, "%s:%u: %s", file, line, what) < 0)
		r = -ENOMEM;
	free(what);
	return r;
}

static int check_raw(struct config_check *check, const struct nve_config_backends *backends,
		     struct nve_config **ret, char **err)
{
	char *text = NULL;
	size_t len;
	int r;

	check->out = open_memstream(&text, &len);
	check->config = calloc(1, sizeof(*check->config));
	r = check->out && check->config ? check_all(check, backends) : -ENOMEM;
	if (check->out)
		fclose(check->out);
	if (r == -EINVAL) {
		*err = text;
		text = NULL;
	}
	free(text);
	if (r)
		nve_config_free(check->config);
	else
		*ret = check->config;
	return r;
}

static int check_keys(const struct nve_marks *marks, unsigned *line, char **what)
{
	const char *key = nve_marks_unknown_key(marks, nve_config_raw_known, line);

	if (!key)
		return 0;
	if (asprintf(what, "unknown key '%s'; remove it, nved.yaml(5) lists the keys", key) < 0)
		return -ENOMEM;
	return -EINVAL;
}

static int load_text(const char *file, const char *text, size_t len,
		     const struct nve_config_backends *backends, struct nve_config **ret,
		     char **err)
{
	static const struct raw_config nothing;
	struct config_check check = { .file = file };
	struct raw_config *raw = NULL;
	struct nve_marks *marks = NULL;
	unsigned line = 0;
	char *what = NULL;
	int r;

	r = nve_marks_parse(text, len, &marks, &line, &what);
	if (!r)
		r = check_keys(marks, &line, &what);
	if (!r)
		r = nve_config_raw_load(text, len, &raw, &line, &what);
	if (r) {
		r = say(file, line, what, r, err);
	} else {
		check.marks = marks;
		check.raw = raw ?: &nothing;
		r = check_raw(&check, backends, ret, err);
	}
	nve_config_raw_free(raw);
	nve_marks_free(marks);
	return r;
}

static int read_file(const char *path, char **ret, size_t *len)
{
	char *text = malloc(FILE_MAX_BYTES);
	FILE *file = text ? fopen(path, "re") : NULL;
	struct stat st;
	int r = 0;

	errno = text ? errno : ENOMEM;
	if (!file || fstat(fileno(file), &st))
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = -EISDIR;
	if (!r) {
		*len = fread(text, 1, FILE_MAX_BYTES, file);
		r = ferror(file) ? -EIO : *len == FILE_MAX_BYTES ? -EFBIG : 0;
	}
	if (file)
		fclose(file);
	if (r)
		free(text);
	else
		*ret = text;
	return r;
}

int nve_config_load(const char *path, const struct nve_config_backends *backends,
		    struct nve_config **ret, char **err)
{
	char *text = NULL;
	size_t len = 0;
	int r = read_file(path, &text, &len);

	if (r)
		return r;
	r = load_text(path, text, len, backends, ret, err);
	free(text);
	return r;
}

void nve_config_free(struct nve_config *config)
{
	if (!config)
		return;
	for (uint32_t i = 0; config->listeners && i < config->n_listeners; i++)
		free(config->listeners[i]);
	free(config->listeners);
	free(config->tls.certificate);
	free(config->tls.key);
	free(config->tls.client_ca);
	free(config->tls.crl);
	free(config->pin_dir);
	free(config->datapath);
	free(config->store);
	free(config->store_path);
	free(config->nva);
	free(config->nva_source);
	free(config->policy);
	free(config->scopes);
	free(config->ports);
	free((char *)config->audit.path);
	free(config);
}
