# SPDX-License-Identifier: Apache-2.0
"""A certification authority for tests, made by openssl(1)."""
import os
import subprocess

CONFIG = """
[ca]
default_ca = it
[it]
database = {dir}/index
serial = {dir}/serial
new_certs_dir = {dir}
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
default_days = 30
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
"""
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*words):
    done = subprocess.run(["openssl", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, f"openssl {' '.join(words)}: {done.stdout}"


class Authority:
    """Its certificate is 'ca', its revocation list 'crl'."""

    def __init__(self, folder, name="test CA"):
        os.makedirs(folder)
        self.dir, self.ca, self.crl = folder, f"{folder}/ca.pem", f"{folder}/crl.pem"
        self._write("config", CONFIG.format(dir=folder))
        self._write("index", "")
        self._write("serial", "01\n")
        openssl("req", "-x509", *CURVE, "-keyout", f"{folder}/ca.key", "-out", self.ca,
                "-days", "30", "-subj", f"/CN={name}",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.revoke()

    def _write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def issue(self, name, san=None, use="clientAuth", until=None):
        """Returns (certificate, key), paths.  san: "URI:spiffe://x/y,DNS:z"; until: "YYYYMMDD"."""
        cert, key, csr = (f"{self.dir}/{name}.{kind}" for kind in ("pem", "key", "csr"))
        self._write(f"{name}.ext", f"extendedKeyUsage={use}\n"
                    + (f"subjectAltName={san}\n" if san else ""))
        openssl("req", *CURVE, "-keyout", key, "-out", csr, "-subj", f"/CN={name}")
        dates = ["-startdate", "20200101000000Z", "-enddate", f"{until}000000Z"] if until else []
        openssl("ca", "-batch", "-notext", "-config", f"{self.dir}/config", "-in", csr,
                "-out", cert, "-extfile", f"{self.dir}/{name}.ext", *dates)
        return cert, key

    def revoke(self, *certificates, until="20990101"):
        """Makes the list anew, with these on it."""
        for certificate in certificates:
            openssl("ca", "-config", f"{self.dir}/config", "-revoke", certificate)
        openssl("ca", "-config", f"{self.dir}/config", "-gencrl", "-crl_lastupdate",
                "20200101000000Z", "-crl_nextupdate", f"{until}000000Z", "-out", self.crl)
