import type { CertificateSigningRequest } from './csr.ts'
import { explicit, implicit, sequence } from './der_writer.ts'
import { constraintsText, type NameConstraints } from './name_constraints.ts'
import { parseIpAddress } from './name_patterns.ts'
import { checkSubtree, isWithinSubtree, type Subtree } from './name_subtrees.ts'
import { oid } from './oids.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'

/** Names as cert-manager's Certificates constrain them (`spec.nameConstraints`). */
export interface ConstraintText {
  /** `example.com`: the name itself and all below it. */
  readonly dnsDomains?: readonly string[] | undefined
  /** `a@example.com`, all of one host, or with a leading dot all of the hosts below a domain. */
  readonly emailAddresses?: readonly string[] | undefined
  /** A host, or with a leading dot the hosts below a domain. */
  readonly uriDomains?: readonly string[] | undefined
  /** `10.0.0.0/8`, `fd00::/8`. */
  readonly ipRanges?: readonly string[] | undefined
}

export interface NameConstraintsText {
  readonly permitted?: ConstraintText | undefined
  readonly excluded?: ConstraintText | undefined
}

const checked: unique symbol = Symbol('made by parseImposedConstraints')

/** What an issuer sets on each CA that it makes. Only `parseImposedConstraints` makes one. */
export interface ImposedConstraints extends NameConstraints {
  readonly [checked]: true
  /** NameConstraints, DER. */
  readonly value: Uint8Array
}

/** Parses the name constraints of an issuer's policy. */
export function parseImposedConstraints(text: NameConstraintsText): Parsed<ImposedConstraints> {
  return parsed(() => {
    const permitted = readSubtrees(text.permitted ?? {})
    const excluded = readSubtrees(text.excluded ?? {})
    if (permitted.length + excluded.length === 0) {
      refuse('name-constraint', 'nameConstraints permit and exclude nothing; leave them out')
    }
    return { [checked]: true, permitted, excluded, value: encode({ permitted, excluded }) }
  })
}

/**
 * The constraints of the certificate asked for, DER: for a CA those of the issuer, or those of the
 * CSR where they are as narrow. Those of the CSR are never dropped: whoever asked relies on them.
 */
export function chooseNameConstraints(
  csr: CertificateSigningRequest,
  isCA: boolean,
  imposed: ImposedConstraints | undefined,
): Uint8Array | undefined {
  const own = csr.extensions.nameConstraints
  if (own === undefined) return isCA ? imposed?.value : undefined
  if (!isCA) {
    refuse(
      'name-constraints-in-leaf',
      'the CSR has nameConstraints, which are for CAs; leave nameConstraints out or set isCA',
    )
  }
  for (const subtree of [...own.permitted, ...own.excluded]) {
    checkSubtree(subtree, 'extension-malformed')
  }
  if (imposed !== undefined) checkNarrower(own, imposed)
  return csr.extensions.all.find((one) => one.oid === oid.nameConstraints)?.value
}

function checkNarrower(own: NameConstraints, imposed: NameConstraints): void {
  const kinds = new Set(imposed.permitted.map(({ kind }) => kind))
  const permits = [...kinds].every((kind) => {
    const outer = imposed.permitted.filter((subtree) => subtree.kind === kind)
    const inner = own.permitted.filter((subtree) => subtree.kind === kind)
    // A kind that is not permitted by name is not constrained at all.
    return inner.length > 0 && inner.every((one) => outer.some((all) => isWithinSubtree(one, all)))
  })
  const excludes = imposed.excluded.every((subtree) =>
    own.excluded.some((wider) => isWithinSubtree(subtree, wider)),
  )
  if (permits && excludes) return
  refuse(
    'name-constraints-wider',
    `the nameConstraints of the CSR (${constraintsText(own)}) are wider than those this issuer sets on its CAs (${constraintsText(imposed)}); narrow them or leave them out`,
  )
}

function readSubtrees(text: ConstraintText): readonly Subtree[] {
  const { dnsDomains = [], emailAddresses = [], uriDomains = [], ipRanges = [] } = text
  const subtrees: readonly Subtree[] = [
    ...dnsDomains.map((base) => ({ kind: 'dns', base }) as const),
    ...emailAddresses.map((base) => ({ kind: 'email', base }) as const),
    ...uriDomains.map((base) => ({ kind: 'uri', base }) as const),
    ...ipRanges.map(readIpRange),
  ]
  for (const subtree of subtrees) checkSubtree(subtree, 'name-constraint')
  return subtrees
}

function readIpRange(text: string) {
  const [address = '', length = '', ...rest] = text.split('/')
  const network = parseIpAddress(address)
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  if (network === undefined || rest.length > 0 || !(bits <= network.length * 8)) {
    return refuse(
      'name-constraint',
      `IP range ${JSON.stringify(text)} is not an address and a length of prefix; expected 10.0.0.0/8`,
    )
  }
  const mask = Uint8Array.from(network, (_, i) => 0xff00 >> Math.min(Math.max(bits - 8 * i, 0), 8))
  return { kind: 'ip', network, mask } as const
}

const tagNumbers = { email: 1, dns: 2, uri: 6 } as const

/** RFC 5280 §4.2.1.10: minimum 0 is left out, as DER leaves out defaults, and maximum is absent. */
function encode({ permitted, excluded }: NameConstraints): Uint8Array {
  return sequence(
    ...[permitted, excluded].flatMap((subtrees, i) =>
      subtrees.length === 0
        ? []
        : [explicit(i, ...subtrees.map((one) => sequence(encodeBase(one))))],
    ),
  )
}

function encodeBase(subtree: Subtree): Uint8Array {
  if (subtree.kind === 'ip') {
    return implicit(7, Uint8Array.of(...subtree.network, ...subtree.mask))
  }
  if ('base' in subtree) return implicit(tagNumbers[subtree.kind], Buffer.from(subtree.base))
  throw new TypeError(`no text stands for a subtree of kind ${subtree.kind}`)
}
