import { kubeTime } from '../../src/api/conditions.ts'
import { keyUsage } from '../../src/pki/key_usage.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { makeKey } from '../../test/pki/keys.ts'
import { type Ca, makeCa } from '../../test/pki/make_ca.ts'
import { clusterIssuers, type Scene } from '../product/scene.ts'
import type { Case } from './case.ts'

const day = 86_400_000

/** Issuers whose CA certificate is none, or not of their key. */
export function caCases(scene: Scene): readonly Case[] {
  return [...certificateCases(scene), ...pemCases(scene)]
}

/** Stands in the spec of an issuer and must not be seen anywhere else. */
export const leakedKey = makeKey('ECDSA P-256')
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

function certificateCases({ cluster, vault, ca }: Scene): readonly Case[] {
  const now = Date.now()
  const root = makeCa({ name: 'Contoso Root', ...lifetime() })
  const intermediate = makeCa({ name: 'Contoso Gateways', issuer: root, ...lifetime() })
  const leaf = makeCa({ name: 'myapp.example.com', issuer: root, ca: false, ...lifetime() })
  const foreign = makeCa({ name: 'Fabrikam Root', ...lifetime() })
  const rsa = makeCa({ name: 'RSA Root', key: makeKey('RSA 2048'), ...lifetime() })
  const old = makeCa({ name: 'Old Root', notBefore: now - 9 * day, notAfter: now - day })
  const future = makeCa({ name: 'New Root', notBefore: now + day, notAfter: now + 9 * day })
  const shallow = makeCa({ name: 'Shallow Root', pathLength: 0, ...lifetime() })
  const underShallow = makeCa({ name: 'Contoso Mesh', issuer: shallow, ...lifetime() })
  const lower = makeCa({ name: 'Contoso Team A', issuer: intermediate, ...lifetime() })
  const signsLists = makeCa({ name: 'CRL Signer', keyUsage: keyUsage.cRLSign, ...lifetime() })
  const by = (certificate: Ca, chain?: Ca) => ({
    ca: {
      key: ca.key,
      certificate: { pem: pemOf(certificate) },
      ...(chain && { chain: { pem: pemOf(chain) } }),
    },
  })
  const keyId = `${vault.url}/keys/ca/${ca.key.version}`
  const noRoot =
    'spec.ca: no certificate was given for CN=Contoso Root, the issuer of the CA certificate for ' +
    'CN=Contoso Gateways; give the chain up to its self-signed root'
  return [
    {
      name: 'certificate-of-another-key',
      spec: by(foreign),
      reason: 'CertificateKeyMismatch',
      message:
        `a signature by ${keyId} does not verify with the public key of the CA certificate ` +
        '"CN=Fabrikam Root" — name the key version that the certificate was made for, or the ' +
        'certificate that was made for the key version',
      mend: () =>
        cluster.must('PATCH', `${clusterIssuers}/certificate-of-another-key`, {
          spec: { ca: { certificate: { pem: ca.pem } } },
        }),
    },
    {
      name: 'rsa-certificate-for-an-ec-key',
      spec: by(rsa),
      reason: 'VaultRefused',
      message:
        'could not sign with key "ca" at https://contoso.vault.azure.net: HTTP 400 BadParameter: ' +
        `Key and signing algorithm are incompatible. Key ${keyId} is of type 'EC', and algorithm ` +
        "'RS256' can only be used with a key of type 'RSA' — name a key that can sign by RS256, " +
        'which follows from the CA certificate and spec.ca.signatureAlgorithm, or the certificate ' +
        'that was made for this key',
    },
    {
      name: 'algorithm-of-another-key',
      spec: {
        ca: { key: ca.key, certificate: { pem: ca.pem }, signatureAlgorithm: 'RS256' },
      },
      reason: 'CertificateInvalid',
      message:
        'spec.ca: signature algorithm RS256 does not fit the ECDSA P-256 key of the CA certificate for ' +
        'CN=ca,O=Contoso; it can sign with ES256',
    },
    {
      name: 'expired-ca',
      spec: by(old),
      reason: 'CertificateExpired',
      message: `spec.ca: the CA certificate for CN=Old Root expired at ${kubeTime(now - day)}; give a renewed one`,
    },
    {
      name: 'future-ca',
      spec: by(future),
      reason: 'CertificateInvalid',
      message: `spec.ca: the CA certificate for CN=New Root is not valid before ${kubeTime(now + day)}; wait, give another, or check the clock`,
    },
    {
      name: 'not-a-ca',
      spec: by(leaf, root),
      reason: 'CertificateInvalid',
      message:
        'spec.ca: the CA certificate for CN=myapp.example.com is not a CA: its basicConstraints do not ' +
        'say CA:TRUE; give the certificate of a CA',
    },
    {
      name: 'no-cert-sign',
      spec: by(signsLists),
      reason: 'CertificateInvalid',
      message:
        'spec.ca: the CA certificate for CN=CRL Signer may not sign certificates: keyUsage has no ' +
        'keyCertSign; give one that has it',
    },
    {
      name: 'path-length-0-above',
      spec: by(underShallow, shallow),
      reason: 'CertificateInvalid',
      message:
        'spec.ca: the CA certificate for CN=Shallow Root allows 0 CAs below it (pathLenConstraint) and ' +
        'the chain has more, so that nobody could use what is signed; give a chain with room for its CAs',
    },
    {
      name: 'no-middle',
      spec: by(lower, root),
      reason: 'CertificateInvalid',
      message:
        'spec.ca: no certificate was given for CN=Contoso Gateways, the issuer of the CA certificate ' +
        'for CN=Contoso Team A; give the chain up to its self-signed root',
    },
    { name: 'no-root', spec: by(intermediate), reason: 'CertificateInvalid', message: noRoot },
    {
      name: 'foreign-root',
      spec: by(intermediate, foreign),
      reason: 'CertificateInvalid',
      message: noRoot,
    },
  ]
}

function pemCases({ ca }: Scene): readonly Case[] {
  const by = (pem: string) => ({ ca: { key: ca.key, certificate: { pem } } })
  return [
    {
      name: 'garbage',
      spec: by('garbage'),
      reason: 'CertificateInvalid',
      message:
        'spec.ca.certificate.pem: the certificate bundle holds no PEM block; expected "-----BEGIN ' +
        'CERTIFICATE-----" and what follows it',
    },
    {
      name: 'garbage-in-a-block',
      spec: by('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      reason: 'CertificateInvalid',
      message:
        'spec.ca.certificate.pem: certificate 1 of 1: the certificate is not valid DER at octet 0: type 0 (hex) is not ' +
        'used in X.509',
    },
    {
      name: 'private-key',
      spec: by(leakedKey + ca.pem),
      reason: 'CertificateInvalid',
      message:
        'spec.ca.certificate.pem: the certificate bundle holds a private key; remove it, and replace ' +
        'that key if others could read it here',
    },
  ]
}

export function lifetime() {
  return { notBefore: Date.now() - day, notAfter: Date.now() + 3650 * day }
}

export function pemOf({ certificate }: Ca): string {
  return encodePem('CERTIFICATE', certificate.der)
}
