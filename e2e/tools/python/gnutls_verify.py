"""Judges certificate chains by GnuTLS, whose shared library is named by the first argument."""

import ctypes
import sys

from lines import answer, finding

lib = ctypes.CDLL(sys.argv[1])

# The names of gnutls/gnutls.h and gnutls/x509.h.
GNUTLS_X509_FMT_DER = 0
GNUTLS_CRT_X509 = 1
GNUTLS_DT_DNS_HOSTNAME = 1
GNUTLS_DT_KEY_PURPOSE_OID = 2


class Datum(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_uint)]


class TypedData(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("data", ctypes.c_char_p), ("size", ctypes.c_uint)]


class GnuTlsError(Exception):
    pass


lib.gnutls_strerror.restype = ctypes.c_char_p
lib.gnutls_x509_crt_deinit.argtypes = [ctypes.c_void_p]
lib.gnutls_x509_crt_import.argtypes = [ctypes.c_void_p, ctypes.POINTER(Datum), ctypes.c_int]
lib.gnutls_x509_trust_list_add_cas.argtypes = [
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_uint,
    ctypes.c_uint,
]
lib.gnutls_x509_trust_list_verify_crt2.argtypes = [
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_uint,
    ctypes.POINTER(TypedData),
    ctypes.c_uint,
    ctypes.c_uint,
    ctypes.POINTER(ctypes.c_uint),
    ctypes.c_void_p,
]
lib.gnutls_x509_trust_list_deinit.argtypes = [ctypes.c_void_p, ctypes.c_uint]

now = 0
# Kept, since the library holds a bare pointer to it.
time_function = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p)(lambda _: now)
lib.gnutls_global_set_time_function(time_function)


def judge(question):
    global now
    now = question["time"]
    chain = []
    try:
        for der in question["certificates"]:
            chain.append(load(der))
        host = question["host"].encode()
        hosts = [TypedData(GNUTLS_DT_DNS_HOSTNAME, host, len(host))] if host else []
        for purpose in question["purposes"] or [None]:
            wanted = list(hosts)
            if purpose:
                wanted.append(TypedData(GNUTLS_DT_KEY_PURPOSE_OID, purpose.encode(), 0))
            status = verify(chain, wanted)
            if status != 0:
                yield finding("error", f"status {status:#x}", describe(status))
    except GnuTlsError as error:
        yield finding("error", "load", str(error))
    finally:
        for certificate in chain:
            lib.gnutls_x509_crt_deinit(certificate)


def load(der):
    certificate = ctypes.c_void_p()
    check(lib.gnutls_x509_crt_init(ctypes.byref(certificate)))
    datum = Datum(der, len(der))
    check(lib.gnutls_x509_crt_import(certificate, ctypes.byref(datum), GNUTLS_X509_FMT_DER))
    return certificate


def verify(chain, wanted):
    """0, or the bits of gnutls_certificate_status_t."""
    *path, root = chain or [None]
    trusted = ctypes.c_void_p()
    check(lib.gnutls_x509_trust_list_init(ctypes.byref(trusted), 0))
    try:
        added = lib.gnutls_x509_trust_list_add_cas(trusted, (ctypes.c_void_p * 1)(root), 1, 0)
        if added != 1:
            raise GnuTlsError("the root was not taken into the trust list")
        status = ctypes.c_uint()
        check(
            lib.gnutls_x509_trust_list_verify_crt2(
                trusted,
                (ctypes.c_void_p * len(path))(*path),
                len(path),
                (TypedData * len(wanted))(*wanted),
                len(wanted),
                0,
                ctypes.byref(status),
                None,
            )
        )
        return status.value
    finally:
        # 0: the certificates stay ours.
        lib.gnutls_x509_trust_list_deinit(trusted, 0)


def describe(status):
    text = Datum()
    check(
        lib.gnutls_certificate_verification_status_print(
            status, GNUTLS_CRT_X509, ctypes.byref(text), 0
        )
    )
    return text.data.decode().strip()


def check(code):
    if code < 0:
        raise GnuTlsError(lib.gnutls_strerror(code).decode())


answer(judge)
