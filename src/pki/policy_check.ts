import type { CertificateSigningRequest } from './csr.ts'
import { readDer } from './der.ts'
import { type GeneralName, generalNameText } from './general_names.ts'
import { readName } from './names.ts'
import { oid } from './oids.ts'
import { type NamespaceSelector, type Policy, selectsNamespace } from './policy.ts'
import { type Parsed, parsed, type Rule, refuse } from './refusal.ts'
import { describeKey, type SubjectKey } from './subject_key.ts'

/** Who asks, beside what the CSR says. */
export interface PolicyRequest {
  readonly namespace: string
  /** Needed where the policy `needsLabels`. */
  readonly namespaceLabels: Readonly<Record<string, string>>
  readonly isCA: boolean
  readonly usages: readonly string[]
}

/** Refuses what the policy does not allow, naming the value and the rule. */
export function checkPolicy(
  csr: CertificateSigningRequest,
  request: PolicyRequest,
  policy: Policy,
): Parsed<undefined> {
  return parsed(() => {
    const { text } = policy
    checkNamespace(request, text.namespaces, 'policy.namespaces', '')
    checkKey(csr.key, text.keyTypes)
    checkUsages(request.usages, text.usages)
    const names = csr.extensions.subjectAltName ?? []
    for (const name of names) checkName(name, policy)
    const commonNames = commonNamesOf(csr.subject)
    if (request.isCA) checkCa(request, commonNames, policy)
    else for (const name of commonNames) checkCommonName(name, names, policy)
    return undefined
  })
}

function checkNamespace(
  { namespace, namespaceLabels }: PolicyRequest,
  selector: NamespaceSelector | undefined,
  field: string,
  what: string,
): void {
  if (selector === undefined || selectsNamespace(selector, namespace, namespaceLabels)) return
  refuse(
    'policy-namespace',
    `namespace ${JSON.stringify(namespace)} may not use this issuer${what} (${field}); ask the operator of the issuer to add it`,
  )
}

function checkKey(key: SubjectKey, allowed: readonly string[] | undefined): void {
  const type = keyType(key)
  if (allowed === undefined || allowed.includes(type)) return
  refuse(
    'policy-key-type',
    `an ${describeKey(key)} key is not allowed (policy.keyTypes: ${allowed.join(', ')}); set privateKey.algorithm and privateKey.size`,
  )
}

/** As `policy.keyTypes` names it. */
export function keyType(key: SubjectKey): string {
  if (key.kind === 'rsa') return `RSA-${key.bits}`
  return key.kind === 'ec' ? key.curve : 'Ed25519'
}

function checkUsages(asked: readonly string[], allowed: readonly string[] | undefined): void {
  const refused = asked.find((usage) => allowed !== undefined && !allowed.includes(usage))
  if (refused === undefined) return
  refuse(
    'policy-usage',
    `usage ${JSON.stringify(refused)} is not allowed (policy.usages: ${allowed?.join(', ')}); leave it out`,
  )
}

/** By kind: what of the policy lets the name through, and what it says when nothing does. */
function checkName(name: GeneralName, { names, text }: Policy): void {
  const [lets, rule, field, allowed] = verdict()
  if (lets) return
  const list = allowed === undefined || allowed.length === 0 ? 'none' : allowed.join(', ')
  refuse(
    rule,
    `${generalNameText(name)} is not allowed (policy.${field}: ${list}); leave it out, or ask the operator of the issuer to allow it`,
  )

  function verdict(): readonly [boolean, Rule, string, readonly string[] | undefined] {
    switch (name.kind) {
      case 'dns': {
        const isAllowed = names.dns?.some((matches) => matches(name.value)) ?? true
        return [isAllowed, 'policy-dns', 'dnsNames', text.dnsNames]
      }
      case 'ip':
        return [
          names.ip.some((holds) => holds(name.octets)),
          'policy-ip',
          'ipRanges',
          text.ipRanges,
        ]
      case 'uri':
        return [names.uri.some((matches) => matches(name.value)), 'policy-uri', 'uris', text.uris]
      case 'email': {
        const domain = name.value.slice(name.value.lastIndexOf('@') + 1)
        const isAllowed = names.email.some((matches) => matches(domain))
        return [isAllowed, 'policy-email', 'emailDomains', text.emailDomains]
      }
      case 'otherName': {
        const isAllowed = names.otherName.has('*') || names.otherName.has(name.typeId)
        return [isAllowed, 'policy-other-name', 'otherNames', text.otherNames]
      }
      case 'directoryName':
      case 'registeredId':
        // No policy opens these; `decide` refuses them.
        return [true, 'san-kind', '', undefined]
    }
  }
}

/** Old clients take a common name for a host name, so it must be one that was checked, or could be. */
function checkCommonName(
  commonName: string,
  names: readonly GeneralName[],
  { names: rules, text }: Policy,
): void {
  if (rules.dns === undefined || rules.dns.some((matches) => matches(commonName))) return
  if (names.some((name) => 'value' in name && name.value === commonName)) return
  refuse(
    'policy-common-name',
    `common name ${JSON.stringify(commonName)} is neither one of the request's alternative names nor allowed by policy.dnsNames (${text.dnsNames?.join(', ')}); leave it out or make it one of the dnsNames`,
  )
}

function checkCa(request: PolicyRequest, commonNames: readonly string[], policy: Policy): void {
  const { isCA } = policy.text
  // Without it `decide` refuses, in words that fit.
  if (isCA === undefined) return
  checkNamespace(request, isCA.namespaces, 'policy.isCA.namespaces', ' for isCA')
  const refused = commonNames.find((name) => !policy.caNames?.some((matches) => matches(name)))
  if (policy.caNames !== undefined && (refused !== undefined || commonNames.length === 0)) {
    refuse(
      'policy-common-name',
      `common name ${JSON.stringify(refused ?? '')} is not allowed for a CA (policy.isCA.commonNames: ${isCA.commonNames?.join(', ')})`,
    )
  }
}

function commonNamesOf(subject: Uint8Array): readonly string[] {
  return readName(readDer(subject, 'the subject'), 'the subject')
    .flat()
    .filter(({ type }) => type === oid.commonName)
    .map(({ text }) => text)
}
