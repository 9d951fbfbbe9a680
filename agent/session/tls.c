/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent's TLS stands on: an SSL_CTX made of checked files. */
#include "session/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHAIN_MAX = 5 };

struct nve_tls {
	SSL_CTX *ctx;
	bool has_crl;
	struct nve_tls_dates dates;
};

__attribute__((format(printf, 2, 3))) static int fail(char **err, const char *format, ...)
{
	va_list ap;
	int n;

	ERR_clear_error();
	va_start(ap, format);
	n = vasprintf(err, format, ap);
	va_end(ap);
	if (n >= 0)
		return -EINVAL;
	*err = NULL;
	return -ENOMEM;
}

static const char *reason(void)
{
	return ERR_reason_error_string(ERR_peek_last_error()) ?: "not as it should be";
}

static int64_t unix_time(const ASN1_TIME *time)
{
	struct tm tm;

	return time && ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm) : 0;
}

static int check_readable(const char *what, const char *path, char **err)
{
	struct stat st;

	if (!path)
		return fail(err, "tls: %s is missing; name a PEM file", what);
	if (access(path, R_OK) < 0 || stat(path, &st) < 0)
		return fail(err, "tls: %s: cannot read %s: %s", what, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(err, "tls: %s: %s is not a file", what, path);
	if (!strcmp(what, "key") && (st.st_mode & (S_IROTH | S_IWOTH)))
		return fail(err, "tls: key: others may read %s; chmod o= it", path);
	return 0;
}

static int check_files(const struct nve_tls_files *files, char **err)
{
	int r = check_readable("certificate", files->certificate, err);

	if (r == 0)
		r = check_readable("key", files->key, err);
	if (r == 0)
		r = check_readable("client_ca", files->client_ca, err);
	if (r == 0 && files->crl)
		r = check_readable("crl", files->crl, err);
	return r;
}

/* An encrypted key would ask on the terminal: nobody is there. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int load_own(struct nve_tls *tls, const struct nve_tls_files *files, char **err)
{
	SSL_CTX_set_default_passwd_cb(tls->ctx, no_password);
	if (SSL_CTX_use_certificate_chain_file(tls->ctx, files->certificate) != 1)
		return fail(err, "tls: certificate: %s holds no certificate that can be used: %s",
			    files->certificate, reason());
	if (SSL_CTX_use_PrivateKey_file(tls->ctx, files->key, SSL_FILETYPE_PEM) != 1) {
		if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
			return fail(err, "tls: key: %s is not the key of %s", files->key,
				    files->certificate);
		return fail(err, "tls: key: %s holds no key without a password: %s", files->key,
			    reason());
	}
	if (SSL_CTX_check_private_key(tls->ctx) != 1)
		return fail(err, "tls: key: %s is not the key of %s", files->key,
			    files->certificate);
	tls->dates.certificate_until =
		unix_time(X509_get0_notAfter(SSL_CTX_get0_certificate(tls->ctx)));
	return 0;
}

static int load_clients(struct nve_tls *tls, const char *path, char **err)
{
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);

	if (!names || SSL_CTX_load_verify_file(tls->ctx, path) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return fail(err, "tls: client_ca: %s holds no certificate that can be used: %s",
			    path, reason());
	}
	SSL_CTX_set_client_CA_list(tls->ctx, names); /* takes them */
	return 0;
}

/* True if one of the store's CRLs is of this CA, and signed by it. */
static bool has_crl_of(const STACK_OF(X509_OBJECT) * objects, X509 *ca)
{
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));

		if (crl &&
		    X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) == 0 &&
		    X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1)
			return true;
	}
	return false;
}

static int check_crls(struct nve_tls *tls, const char *path, char **err)
{
	const STACK_OF(X509_OBJECT) *objects =
		X509_STORE_get0_objects(SSL_CTX_get_cert_store(tls->ctx));

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
		X509 *ca = X509_OBJECT_get0_X509(object);
		X509_CRL *crl = X509_OBJECT_get0_X509_CRL(object);
		char name[256];

		if (crl) {
			int64_t until = unix_time(X509_CRL_get0_nextUpdate(crl));

			if (until && (!tls->dates.crl_until || until < tls->dates.crl_until))
				tls->dates.crl_until = until;
		}
		if (!ca || has_crl_of(objects, ca))
			continue;
		X509_NAME_oneline(X509_get_subject_name(ca), name, sizeof(name));
		return fail(err,
			    "tls: crl: %s has no list signed by %s; every CA of client_ca needs "
			    "one",
			    path, name);
	}
	return 0;
}

static int load_crls(struct nve_tls *tls, const char *path, char **err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(tls->ctx);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (!path)
		return 0;
	if (!lookup || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
		return fail(err, "tls: crl: %s holds no list that can be used: %s", path, reason());
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	tls->has_crl = true;
	return check_crls(tls, path, err);
}

static int verified(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct nve_tls_owner *owner = SSL_get_app_data(ssl);
	X509 *claimed = X509_STORE_CTX_get0_cert(store);

	if (!ok && claimed)
		owner->distrusted(owner, claimed);
	return ok;
}

static int select_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		     const unsigned char *in, unsigned int in_len, void *arg)
{
	static const unsigned char h2[] = "\x02h2";
	unsigned char *found;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&found, out_len, h2, sizeof(h2) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static int make_context(struct nve_tls *tls)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	tls->ctx = ctx;
	if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1)
		return -ENOMEM;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verified);
	SSL_CTX_set_verify_depth(ctx, CHAIN_MAX);
	SSL_CTX_set_alpn_select_cb(ctx, select_h2, NULL);
	return 0;
}

int nve_tls_load(const struct nve_tls_files *files, struct nve_tls **ret, char **err)
{
	struct nve_tls *tls = calloc(1, sizeof(*tls));
	int r;

	*err = NULL;
	if (!tls)
		return -ENOMEM;
	ERR_clear_error();
	r = check_files(files, err);
	if (r == 0)
		r = make_context(tls);
	if (r == 0)
		r = load_own(tls, files, err);
	if (r == 0)
		r = load_clients(tls, files->client_ca, err);
	if (r == 0)
		r = load_crls(tls, files->crl, err);
	ERR_clear_error();
	if (r < 0) {
		nve_tls_free(tls);
		return r;
	}
	tls->dates.loaded = (int64_t)time(NULL);
	*ret = tls;
	return 0;
}

void nve_tls_free(struct nve_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

int nve_tls_check_dates(const struct nve_tls *tls, char **err)
{
	X509 *own = SSL_CTX_get0_certificate(tls->ctx);
	int64_t now = (int64_t)time(NULL);

	*err = NULL;
	if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0)
		return fail(err, "tls: certificate: it is not valid yet; is the clock right?");
	if (now >= tls->dates.certificate_until)
		return fail(err, "tls: certificate: it has expired; put a new one in its place");
	if (tls->has_crl && tls->dates.crl_until && now >= tls->dates.crl_until)
		return fail(err, "tls: crl: it has expired, so no client would be let in; put a "
				 "new one in its place");
	return 0;
}

void nve_tls_dates(const struct nve_tls *tls, struct nve_tls_dates *ret)
{
	*ret = tls->dates;
}

SSL *nve_tls_connection(const struct nve_tls *tls, int fd, struct nve_tls_owner *owner)
{
	SSL *ssl = SSL_new(tls->ctx);

	if (!ssl)
		return NULL;
	if (SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, owner);
	SSL_set_accept_state(ssl);
	return ssl;
}

bool nve_tls_trusts(const struct nve_tls *tls, SSL *ssl)
{
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	X509_STORE_CTX *store;
	bool ret = false;

	if (SSL_get_SSL_CTX(ssl) == tls->ctx)
		return true;
	store = X509_STORE_CTX_new();
	if (store && leaf &&
	    X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(tls->ctx), leaf,
				SSL_get_peer_cert_chain(ssl)) == 1) {
		X509_STORE_CTX_set_default(store, "ssl_client");
		X509_STORE_CTX_set_flags(store, X509_V_FLAG_NO_CHECK_TIME);
		ret = X509_verify_cert(store) == 1;
	}
	X509_STORE_CTX_free(store);
	ERR_clear_error();
	return ret;
}

/* The identity ------------------------------------------------------------------------------- */

static const char *take_name(const char *prefix, const ASN1_IA5STRING *name, char *out, size_t size)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(name);
	size_t at = strlen(prefix), len = (size_t)ASN1_STRING_length(name);

	if (len == 0 || at + len >= size)
		return "the certificate's name is empty or too long";
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return "the certificate's name has characters that no name has";
	}
	memcpy(out, prefix, at);
	memcpy(out + at, bytes, len);
	out[at + len] = '\0';
	return NULL;
}

static const ASN1_IA5STRING *first_of(const GENERAL_NAMES *names, int type)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == type)
			return name->d.ia5;
	}
	return NULL;
}

const char *nve_tls_identity(X509 *certificate, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const ASN1_IA5STRING *uri = first_of(names, GEN_URI), *dns = first_of(names, GEN_DNS);
	const char *why = "the certificate has neither a URI nor a DNS name (SAN)";

	out[0] = '\0';
	if (uri)
		why = take_name("tls:uri:", uri, out, size);
	else if (dns)
		why = take_name("tls:dns:", dns, out, size);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return why;
}
