/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS needs: options, else the environment, to the texts of files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvectl/ctl.h"

enum { FILE_MAX_BYTES = 1 << 20 };

static const char *setting(const struct ctl *ctl, const char *option, const char *variable)
{
	const char *value = ctl_option_value(&ctl->in, option);

	if (!value)
		value = getenv(variable);
	return value && *value ? value : NULL;
}

/* The text of a file; NULL with errno. */
static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(FILE_MAX_BYTES + 1) : NULL;
	size_t n = 0;
	int error;

	errno = file && !text ? ENOMEM : errno;
	if (text) {
		n = fread(text, 1, FILE_MAX_BYTES, file);
		text[n] = '\0';
	}
	error = errno;
	if (text && (ferror(file) || !n)) {
		error = ferror(file) ? error : ENODATA;
		free(text);
		text = NULL;
	}
	if (file)
		fclose(file);
	errno = error;
	return text;
}

static int take(const struct ctl *ctl, const char *option, const char *variable, char **ret,
		char *why, size_t why_len)
{
	const char *path = setting(ctl, option, variable);

	if (!path) {
		snprintf(why, why_len, "'%s' needs TLS: --%s FILE (or $%s) is missing", ctl->server,
			 option, variable);
		return -EINVAL;
	}
	*ret = read_text(path);
	if (*ret)
		return 0;
	snprintf(why, why_len, "--%s: cannot read '%s': %s", option, path, strerror(errno));
	return -EINVAL;
}

int ctl_tls_load(struct ctl *ctl, char *why, size_t why_len)
{
	int r;

	ctl->tls = calloc(1, sizeof(*ctl->tls));
	if (!ctl->tls) {
		snprintf(why, why_len, "there is no memory");
		return -EINVAL;
	}
	r = take(ctl, "tls-ca", "NVED_TLS_CA", &ctl->tls->ca, why, why_len);
	if (!r)
		r = take(ctl, "tls-cert", "NVED_TLS_CERT", &ctl->tls->cert, why, why_len);
	if (!r)
		r = take(ctl, "tls-key", "NVED_TLS_KEY", &ctl->tls->key, why, why_len);
	ctl->tls->name = setting(ctl, "tls-name", "NVED_TLS_NAME");
	return r;
}

void ctl_tls_free(struct ctl *ctl)
{
	if (!ctl->tls)
		return;
	free(ctl->tls->ca);
	free(ctl->tls->cert);
	free(ctl->tls->key);
	free(ctl->tls);
	ctl->tls = NULL;
}
