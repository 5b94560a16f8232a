"""Lints the first certificate of each chain, and the pair of it and its issuer, by pkilint.

The same validators as its programs lint_pkix_cert and lint_pkix_signer_signee_cert_chain run,
in one process, since Python takes longer to load them than to run them.
"""

import logging

from pkilint import loader
from pkilint.bin import lint_pkix_signer_signee_cert_chain as pair
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity

from lines import answer, finding

# A validator that fails says so in a finding too.
logging.disable()

certificates = loader.RFC5280CertificateDocumentLoader()
alone = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(
        name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
    ),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)
decoding = pair.create_decoder_validation_container()
of_issuer = pair.create_issuer_validation_container()
of_subject = pair.create_subject_validation_container()

# A notice to pkilint, and no chain at all to crypto/x509, which compares octets.
raised = {"pkix.issuer_and_subject_dn_not_binary_equal": "error"}


def judge(question):
    subject, issuer = question["certificates"][:2]
    try:
        yield from findings(alone.validate(certificates.load_der_document(subject).root))
        documents = {}
        for role, der in (("issuer", issuer), ("subject", subject)):
            documents[role] = certificates.load_der_document(der, role, role, documents)
        for document in documents.values():
            # What it finds in the certificates themselves, `alone` has found.
            decoding.validate(document.root)
        yield from findings(of_issuer.validate(documents["issuer"].root))
        yield from findings(of_subject.validate(documents["subject"].root))
    except ValueError as error:
        yield finding("fatal", "load", str(error))


def findings(results):
    for result in results:
        for each in result.finding_descriptions:
            if each.finding.severity <= ValidationFindingSeverity.NOTICE:
                code = each.finding.code
                severity = raised.get(code, each.finding.severity.name.lower())
                detail = f"{each.message or ''} at {result.node.path}"
                yield finding(severity, code, detail)


answer(judge)
