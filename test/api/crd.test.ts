import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

/** What an Issuer has instead: [in ClusterIssuer, in Issuer]. */
const replaced: readonly (readonly [string, string])[] = [
  ['clusterissuers', 'issuers'],
  ['ClusterIssuer', 'Issuer'],
  ['singular: clusterissuer', 'singular: issuer'],
  ['scope: Cluster', 'scope: Namespaced'],
  ['akvci', 'akvi'],
  ['for the whole cluster', 'for its own namespace'],
  ['required: [vaultUrl]', 'required: [vaultUrl, identity]'],
  ['required: [name, namespaces]', 'required: [name]'],
  ["in the controller's namespace", "in the Issuer's namespace"],
  [
    `                    Who the issuer is to Entra. Set exactly one member. Default: the
                    controller's own federated identity.
                  default:
                    workload: {}
`,
    `                    Who the issuer is to Entra. Set exactly one member. The controller's
                    own identities (managed, workload without serviceAccountRef) work only where its
                    operator allows them to Issuers.
`,
  ],
]

/** Fields and rules that an Issuer does not have, by how they begin, after so many spaces. */
const left: readonly (readonly [number, string])[] = [
  // An Issuer serves its own namespace alone.
  [20, 'namespaces:\n'],
  [24, 'namespaces:\n'],
  [22, 'namespaces:\n'],
  [22, 'x-kubernetes-validations:\n                        - rule: "!has(self.allowed)'],
  // A signer of certificates.k8s.io serves the whole cluster.
  [16, 'kubernetesCSR:\n'],
  [16, '- rule: "!has(self.kubernetesCSR)'],
  [16, '- rule: >-\n                    !has(self.kubernetesCSR) || !self.'],
  [16, '- rule: >-\n                    !has(self.kubernetesCSR) || !has('],
  // cert-manager's ingress-shim names ClusterIssuers.
  [16, 'answerUngrouped:\n'],
]

test('the schema of an Issuer is that of a ClusterIssuer but for what is listed here', () => {
  let expected = read('clusterissuers')
  for (const [from, to] of replaced) {
    assert.ok(expected.includes(from), `${from} stands in the CRD of ClusterIssuer`)
    expected = expected.replaceAll(from, to)
  }
  for (const [depth, first] of left) expected = withoutBlock(expected, depth, first)
  assert.equal(read('issuers'), expected)
})

function read(plural: string): string {
  const file = `../../config/crd/keyvault.akv-issuer.io_${plural}.yaml`
  return readFileSync(new URL(file, import.meta.url), 'utf8')
}

/** The text without a block and all that is indented below its first line. */
function withoutBlock(yaml: string, depth: number, first: string): string {
  const start = yaml.indexOf(`\n${' '.repeat(depth)}${first}`)
  assert.notEqual(start, -1, `${first} stands in the CRD of ClusterIssuer`)
  const after = yaml.slice(start + 1)
  const next = after.search(new RegExp(`\\n {0,${depth}}\\S`))
  return yaml.slice(0, start) + after.slice(next)
}
