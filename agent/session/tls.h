/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, certificates and revocations of the agent's TLS (B12): read and checked as a whole, then
 * never changed.  Who wants others loads anew; connections keep what they were made with.
 *
 * Only tls.c and door_tls.c know OpenSSL.  TLS 1.2 and 1.3, forward secrecy and AEAD only, HTTP/2
 * by ALPN, no resumption (it would skip the certificate), no renegotiation.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_st;
struct x509_st;
struct nve_tls;

/* Paths of PEM files. */
struct nve_tls_files {
	const char *certificate; /* the agent's own first, then those between it and its root */
	const char *key;         /* not encrypted; not readable by others */
	const char *client_ca;   /* who may issue certificates of clients */
	const char *crl;         /* NULL: no revocations; else one of each CA above */
};

/* Unix time in seconds; 0 = there is none. */
struct nve_tls_dates {
	int64_t certificate_until, crl_until, loaded;
};

/* -EINVAL with '*err' (the caller frees it), or -ENOMEM; '*ret' is then untouched. */
int nve_tls_load(const struct nve_tls_files *files, struct nve_tls **ret, char **err);
void nve_tls_free(struct nve_tls *tls); /* NULL is a no-op; connections live on */
/*
 * Whether the agent's certificate and the CRLs are of this moment: -EINVAL with '*err' if not.
 * Apart from load(): an agent that starts with an expired one still serves its unix sockets.
 */
int nve_tls_check_dates(const struct nve_tls *tls, char **err);
void nve_tls_dates(const struct nve_tls *tls, struct nve_tls_dates *ret);

/* Whose connection it is. */
struct nve_tls_owner {
	/* Told whose certificate is not taken, before the handshake fails for it. */
	void (*distrusted)(struct nve_tls_owner *owner, struct x509_st *claimed);
};

/* A new connection, server's side; NULL: no memory.  The caller frees it, before its owner. */
struct ssl_st *nve_tls_connection(const struct nve_tls *tls, int fd, struct nve_tls_owner *owner);
/*
 * Whether the client of an established connection, which may have been made with another 'tls',
 * would be trusted now: its CA is still known and nothing of its chain is revoked.  That it has
 * expired meanwhile does not count.
 */
bool nve_tls_trusts(const struct nve_tls *tls, struct ssl_st *ssl);

/*
 * "tls:uri:.." of the first URI SAN, else "tls:dns:.." of the first DNS SAN.  NULL, or why there
 * is none, with 'out' empty: no such SAN, longer than 'size' allows, or with bytes that are not
 * printable ASCII (a NUL would cut the name short in one place and not in another).
 */
const char *nve_tls_identity(struct x509_st *certificate, char *out, size_t size);
