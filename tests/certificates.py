"""An authority of the tests' own, and a certificate for the loopback."""

from __future__ import annotations

import datetime as dt
import ipaddress


def certificates(directory):
    """Write an authority and a certificate of the loopback's; return their files."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = dt.datetime.now(dt.timezone.utc)

    def sign(name, key, issuer, issuer_key, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(issuer_key, hashes.SHA256())

    # With all that Python 3.13 is strict about.
    authority_key = ec.generate_private_key(ec.SECP256R1())
    own_key = ec.generate_private_key(ec.SECP256R1())
    public = authority_key.public_key()
    signs = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    authority = sign(
        "authority",
        authority_key,
        "authority",
        authority_key,
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.KeyUsage(key_cert_sign=True, **signs), True),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
    )
    own = sign(
        "server",
        own_key,
        "authority",
        authority_key,
        (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False),
    )
    files = {}
    for name, data in {
        "ca": authority.public_bytes(serialization.Encoding.PEM),
        "cert": own.public_bytes(serialization.Encoding.PEM),
        "key": own_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    }.items():
        files[name] = directory / f"{name}.pem"
        files[name].write_bytes(data)
    return files
