import { parseArgs } from 'node:util'
import { group, type IssuerKind, isObjectName } from '../api/names.ts'
import type { IdentityChoice } from '../vault/operator_identity.ts'
import { type ParsedFlags, parsedFlags } from './parsed_flags.ts'
import { identityChoice, identityHelp, required, vaultOptions } from './vault_flags.ts'

export interface CheckFlags {
  /** May be left out where a file has one issuer alone. */
  readonly issuer: { readonly kind: IssuerKind; readonly name: string } | undefined
  /** Of an Issuer; that of kubectl's context when absent. */
  readonly namespace: string | undefined
  /** A file with the issuer, in place of the one in the cluster; `-` is standard input. */
  readonly file: string | undefined
  readonly kubeconfig: string | undefined
  readonly context: string | undefined
  /** Where references of ClusterIssuers resolve; the controller's own when absent. */
  readonly clusterResourceNamespace: string | undefined
  /** `issuer`: its own, with what the kubeconfig may read of it. */
  readonly identity: IdentityChoice | 'issuer'
  readonly withKeys: boolean
  readonly json: boolean
}

export const checkHelp = `akv-issuer check: goes through all that an issuer rests on, and says what mends what is broken.

  akv-issuer check clusterissuer/NAME [flags]
  akv-issuer check issuer/NAME --namespace NAME [flags]
  akv-issuer check --file issuer.yaml [flags]

  --file FILE             an issuer before it is applied, YAML or JSON; - reads standard input
  --namespace NAME        of an Issuer; default: that of kubectl's context
  --kubeconfig FILE       default: the pod's ServiceAccount, else the default kubeconfig
  --context NAME          of the kubeconfig; default: its current one
  --cluster-resource-namespace NAME
                          where references of ClusterIssuers resolve; default: where the
                          controller's Lease is
${identityHelp}                          or issuer: the issuer's own, by its Secret or a token of its
                          ServiceAccount, as far as the kubeconfig may have them
  --with-keys             fetch each private key that is to be delivered, as a delivery does, and
                          drop it; needs the right to read secrets
  --json

It changes nothing. One signature is made of each CA's key, over a test that is no certificate.

Exit code 0: nothing failed, there may be warnings; 1: something failed; 2: the flags are wrong.
`

/** Reads the flags of `akv-issuer check`. A refusal names the flag and what it takes. */
export function parseCheckFlags(args: readonly string[]): ParsedFlags<CheckFlags> {
  return parsedFlags('check', () => readFlags(args))
}

function readFlags(args: readonly string[]): CheckFlags {
  const { values, positionals } = parseArgs({
    args: [...args],
    strict: true,
    allowPositionals: true,
    options: {
      identity: vaultOptions.identity,
      file: { type: 'string' },
      namespace: { type: 'string' },
      kubeconfig: { type: 'string' },
      context: { type: 'string' },
      'cluster-resource-namespace': { type: 'string' },
      'with-keys': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const { file, namespace, kubeconfig, context, json } = values
  const [which, ...others] = positionals
  if (others.length > 0) throw new Error(`"${others[0]}": one issuer at a time`)
  if (which === undefined && file === undefined) {
    throw new Error('name an issuer, as clusterissuer/NAME, or a file by --file')
  }
  const issuer = which === undefined ? undefined : issuerName(which)
  if (namespace !== undefined && issuer?.kind === 'ClusterIssuer') {
    throw new Error('--namespace has no meaning for a ClusterIssuer')
  }
  return {
    issuer,
    namespace: namespace === undefined ? undefined : required('--namespace', namespace),
    file,
    kubeconfig,
    context,
    clusterResourceNamespace: values['cluster-resource-namespace'],
    identity: values.identity === 'issuer' ? 'issuer' : identityChoice(values.identity),
    withKeys: values['with-keys'],
    json,
  }
}

/** As kubectl takes it. */
const kinds: ReadonlyMap<string, IssuerKind> = new Map<string, IssuerKind>([
  ['clusterissuer', 'ClusterIssuer'],
  ['clusterissuers', 'ClusterIssuer'],
  ['akvci', 'ClusterIssuer'],
  ['issuer', 'Issuer'],
  ['issuers', 'Issuer'],
  ['akvi', 'Issuer'],
])

function issuerName(text: string): { readonly kind: IssuerKind; readonly name: string } {
  const [word = '', name = '', ...rest] = text.split('/')
  const kind = kinds.get(word.toLowerCase().replace(`.${group}`, ''))
  if (kind !== undefined && isObjectName(name) && rest.length === 0) return { kind, name }
  throw new Error(`"${text}" is no issuer: expected clusterissuer/NAME or issuer/NAME`)
}
