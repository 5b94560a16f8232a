/** Why an input was not taken. The set is closed: each rule has at least one test with its name. */
export type Rule =
  // What carries the input.
  | 'pem-malformed'
  | 'pem-label'
  | 'pem-private-key'
  | 'pem-too-large'
  | 'der-malformed'
  | 'der-limits'
  // Certificates and certification requests.
  | 'version'
  | 'structure'
  | 'algorithm-unsupported'
  | 'algorithm-mismatch'
  | 'signature-invalid'
  | 'name-malformed'
  | 'name-too-long'
  | 'validity-malformed'
  // Extensions.
  | 'extension-duplicate'
  | 'extension-request-duplicate'
  | 'extension-malformed'
  | 'extension-critical-unknown'
  | 'san-empty'
  | 'san-kind'
  | 'san-dns'
  | 'san-ip'
  | 'san-uri'
  | 'san-email'
  | 'san-too-many'
  // Subject keys.
  | 'key-unsupported'
  | 'key-encoding'
  | 'key-size'
  | 'key-exponent'
  | 'key-point'
  | 'key-weak'
  // The chain and the CA.
  | 'chain-incomplete'
  | 'chain-signature'
  | 'chain-too-long'
  | 'ca-flag'
  | 'ca-key-usage'
  | 'ca-path-length'
  | 'ca-expired'
  | 'ca-not-yet-valid'
  | 'ca-subject-empty'
  | 'ca-algorithm'
  // What is asked for.
  | 'is-ca-refused'
  | 'is-ca-contradiction'
  | 'usages-contradiction'
  | 'usage-unknown'
  | 'usage-unfit-for-key'
  | 'usage-unfit-for-leaf'
  | 'usage-outside-ca'
  | 'identity-missing'
  | 'name-constraint'
  | 'name-constraints'
  | 'name-constraints-in-leaf'
  | 'name-constraints-wider'
  | 'ca-subject'
  | 'information-url'
  | 'subject-key-is-ca-key'
  | 'duration-too-short'
  | 'duration-too-long'
  | 'ca-expires-too-soon'
  // The issuer's policy.
  | 'policy-malformed'
  | 'policy-namespace'
  | 'policy-key-type'
  | 'policy-usage'
  | 'policy-dns'
  | 'policy-ip'
  | 'policy-uri'
  | 'policy-email'
  | 'policy-other-name'
  | 'policy-common-name'
  // Secrets of Key Vault that hold a certificate with its key.
  | 'secret-content-type'
  | 'secret-too-large'
  | 'secret-encoding'
  | 'pfx-encoding'
  | 'pfx-algorithm'
  | 'pfx-iterations'
  | 'pfx-mac'
  | 'pfx-decryption'
  | 'pem-encrypted'
  | 'key-inconsistent'
  | 'key-not-exportable'
  | 'key-ambiguous'
  | 'key-mismatch'
  // Before and after the signature.
  | 'signature-length'
  | 'signature-range'
  | 'signature-wrong-key'
  | 'certificate-differs'
  | 'lint'

/** `message` says what was seen, what was expected and what to do; it quotes the input. */
export interface Refusal {
  readonly rule: Rule
  readonly message: string
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal }

/**
 * Runs `work`; a `refuse` anywhere below it becomes the refusal returned. In this folder functions
 * named `read…` and `check…` may refuse by throwing; what other folders call goes through here.
 */
export function parsed<T>(work: () => T): Parsed<T> {
  try {
    return { ok: true, value: work() }
  } catch (thrown) {
    if (thrown instanceof Refused) return { ok: false, refusal: thrown.refusal }
    throw thrown
  }
}

/** The same for work that waits. */
export async function parsedAsync<T>(work: () => Promise<T>): Promise<Parsed<T>> {
  try {
    return { ok: true, value: await work() }
  } catch (thrown) {
    if (thrown instanceof Refused) return { ok: false, refusal: thrown.refusal }
    throw thrown
  }
}

export function refuse(rule: Rule, message: string): never {
  throw new Refused(rule, message)
}

class Refused extends Error {
  readonly refusal: Refusal

  constructor(rule: Rule, message: string) {
    super(message)
    this.refusal = { rule, message: shortened(message) }
  }
}

/** Requests are quoted, and theirs may be long; what to do stands at the end (Events hold 1,024). */
function shortened(message: string): string {
  if (message.length <= 800) return message
  return `${message.slice(0, 500)} … ${message.slice(-290)}`.toWellFormed()
}
