/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a certificate names (B12): certificates are made in memory, with names no CA should sign. */
#include "session/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "session/peer.h"

struct name {
	int type;
	const char *bytes;
	size_t len;
};
#define URI(text)                                                                                  \
	{                                                                                          \
		GEN_URI, text, sizeof(text) - 1                                                    \
	}
#define DNS(text)                                                                                  \
	{                                                                                          \
		GEN_DNS, text, sizeof(text) - 1                                                    \
	}
#define MAIL(text)                                                                                 \
	{                                                                                          \
		GEN_EMAIL, text, sizeof(text) - 1                                                  \
	}

static X509 *certificate(const struct name *names, size_t n)
{
	GENERAL_NAMES *list = GENERAL_NAMES_new();
	X509 *cert = X509_new();

	for (size_t i = 0; i < n; i++) {
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();
		GENERAL_NAME *name = GENERAL_NAME_new();

		assert_int_equal(ASN1_STRING_set(text, names[i].bytes, (int)names[i].len), 1);
		GENERAL_NAME_set0_value(name, names[i].type, text);
		assert_true(sk_GENERAL_NAME_push(list, name) > 0);
	}
	if (n)
		assert_int_equal(X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0), 1);
	GENERAL_NAMES_free(list);
	return cert;
}

static const char *identity(const struct name *names, size_t n, char out[NVE_IDENTITY_MAX + 1])
{
	X509 *cert = certificate(names, n);
	const char *why;

	memset(out, '?', NVE_IDENTITY_MAX + 1);
	why = nve_tls_identity(cert, out, NVE_IDENTITY_MAX + 1);
	X509_free(cert);
	return why;
}

#define assert_identity(want, ...)                                                                 \
	do {                                                                                       \
		static const struct name list[] = { __VA_ARGS__ };                                 \
		char got[NVE_IDENTITY_MAX + 1];                                                    \
		assert_null(identity(list, sizeof(list) / sizeof(list[0]), got));                  \
		assert_string_equal(got, want);                                                    \
	} while (0)

#define assert_nobody(want, ...)                                                                   \
	do {                                                                                       \
		static const struct name list[] = { __VA_ARGS__ };                                 \
		char got[NVE_IDENTITY_MAX + 1];                                                    \
		assert_string_equal(identity(list, sizeof(list) / sizeof(list[0]), got), want);    \
		assert_string_equal(got, "");                                                      \
	} while (0)

static void the_first_URI_is_the_identity_wherever_it_stands(void **state)
{
	(void)state;
	assert_identity("tls:uri:spiffe://a/b", URI("spiffe://a/b"));
	assert_identity("tls:uri:spiffe://a/b", DNS("x.example"), MAIL("x@example"),
			URI("spiffe://a/b"), URI("spiffe://c/d"));
}

static void without_a_URI_it_is_the_first_DNS_name(void **state)
{
	(void)state;
	assert_identity("tls:dns:x.example", MAIL("y@example"), DNS("x.example"), DNS("y.example"));
}

static void a_DNS_name_cannot_pose_as_a_URI_or_a_unix_peer(void **state)
{
	(void)state;
	assert_identity("tls:dns:unix:0", DNS("unix:0"));
	assert_identity("tls:dns:tls:uri:spiffe://a/b", DNS("tls:uri:spiffe://a/b"));
}

static void a_certificate_without_such_names_is_nobodys(void **state)
{
	char out[NVE_IDENTITY_MAX + 1];

	(void)state;
	assert_string_equal(identity(NULL, 0, out),
			    "the certificate has neither a URI nor a DNS name (SAN)");
	assert_string_equal(out, "");
	assert_nobody("the certificate has neither a URI nor a DNS name (SAN)", MAIL("x@example"));
}

static void a_name_with_bytes_that_no_name_has_is_refused_and_not_cut_or_passed_over(void **state)
{
	static const char why[] = "the certificate's name has characters that no name has";

	(void)state;
	assert_nobody(why, DNS("good.example\0.evil.example"));
	assert_nobody(why, URI("spiffe://a/\0b"), DNS("good.example"));
	assert_nobody(why, DNS("two words"));
	assert_nobody(why, DNS("new\nline"));
	assert_nobody(why, DNS("\xc3\xbc.example"));
	assert_nobody(why, DNS("\x7f.example"));
}

static void a_name_is_as_long_as_an_identity_may_be_and_not_longer(void **state)
{
	static const char why[] = "the certificate's name is empty or too long";
	char text[NVE_IDENTITY_MAX + 1], out[NVE_IDENTITY_MAX + 1];
	size_t most = NVE_IDENTITY_MAX - strlen("tls:uri:");

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_null(identity(&(struct name){ GEN_URI, text, most }, 1, out));
	assert_int_equal(strlen(out), NVE_IDENTITY_MAX);
	assert_string_equal(identity(&(struct name){ GEN_URI, text, most + 1 }, 1, out), why);
	assert_string_equal(out, "");
	assert_string_equal(identity(&(struct name){ GEN_DNS, text, 0 }, 1, out), why);
	assert_string_equal(out, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_URI_is_the_identity_wherever_it_stands),
		cmocka_unit_test(without_a_URI_it_is_the_first_DNS_name),
		cmocka_unit_test(a_DNS_name_cannot_pose_as_a_URI_or_a_unix_peer),
		cmocka_unit_test(a_certificate_without_such_names_is_nobodys),
		cmocka_unit_test(
			a_name_with_bytes_that_no_name_has_is_refused_and_not_cut_or_passed_over),
		cmocka_unit_test(a_name_is_as_long_as_an_identity_may_be_and_not_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
