import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { IssuerError } from '../error.ts'

/** What proves that one is an application: a certificate registered for it, and its key. */
export interface ClientCertificate {
  /** One certificate, PEM. */
  readonly certificate: string
  /** PKCS #8, PEM, not encrypted. */
  readonly privateKey: string
}

/** The texts of a kubernetes.io/tls Secret. */
export interface TlsPair {
  readonly certificate: string
  readonly privateKey: string
}

/**
 * Reads a pair for ClientCertificateCredential. What Entra would refuse with a code, or the SDK with
 * a stack trace, is said here in words.
 *
 * @param origin as `Secret "entra" in namespace "apps"`
 * @param now milliseconds since the Unix epoch
 * @throws IssuerError `ReferenceInvalid`
 */
export function readClientCertificate(
  pair: TlsPair,
  origin: string,
  now: number,
): ClientCertificate {
  const certificate = readCertificate(pair.certificate, origin)
  const privateKey = readKey(pair.privateKey, origin)
  // What the SDK signs assertions with is RS256 or PS256.
  if (privateKey.asymmetricKeyType !== 'rsa') {
    throw invalid(
      origin,
      `tls.key is of type ${privateKey.asymmetricKeyType}, and Entra takes RSA from applications — ` +
        'make and register a certificate with an RSA key',
    )
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw invalid(
      origin,
      'tls.key is not the key of the certificate in tls.crt — put in both of one pair',
    )
  }
  const { validFromDate, validToDate } = certificate
  if (validToDate.getTime() <= now) {
    throw invalid(
      origin,
      `the certificate expired at ${validToDate.toISOString()} — register a new one for the ` +
        'application and put it there',
    )
  }
  if (validFromDate.getTime() > now) {
    throw invalid(
      origin,
      `the certificate is not valid before ${validFromDate.toISOString()} — wait, or check the clocks`,
    )
  }
  return {
    certificate: certificate.toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function readCertificate(pem: string, origin: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw invalid(origin, 'tls.crt holds no certificate in PEM — put it there', cause)
  }
}

function readKey(pem: string, origin: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw invalid(
      origin,
      'tls.key holds no private key in PEM, or an encrypted one — put it there decrypted (openssl pkey)',
      cause,
    )
  }
}

function invalid(origin: string, what: string, cause?: unknown): IssuerError {
  return new IssuerError('ReferenceInvalid', `${origin}: ${what}`, { cause })
}
