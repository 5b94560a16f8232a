import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { check } from '../../src/cli/check.ts'
import { parseCheckFlags } from '../../src/cli/check_flags.ts'
import type { DevVault } from '../../src/devvault/dev_vault.ts'
import { startHere } from '../devvault/here.ts'
import { command } from './command.ts'
import { becomeOperator, runCa } from './run_ca.ts'

/** An issuer in a file, with no cluster at hand; with one it is e2e/chart_check.test.ts. */
let vault: DevVault
let dir = ''
let block = ''
let keyVersion = ''
before(async () => {
  vault = await startHere()
  becomeOperator(vault)
  dir = mkdtempSync(join(tmpdir(), 'check-'))
  // Wherever the test runs, there is no cluster.
  process.env.KUBECONFIG = join(dir, 'kubeconfig')
  writeFileSync(process.env.KUBECONFIG, 'apiVersion: v1\nkind: Config\n')
  const flags = ['--subject=CN=Contoso Root', '--key-type=P-256', '--protection=software']
  block = (await runCa('init', 'mesh-root', ...flags)).out
  keyVersion = /version: "(\w+)"/.exec(block)?.[1] ?? ''
})
after(async () => {
  rmSync(dir, { recursive: true })
  await vault.stop()
})
beforeEach(() => vault.control.faults.clear())

const head =
  'apiVersion: keyvault.akv-issuer.io/v1alpha1\nkind: ClusterIssuer\nmetadata: {name: mine}\n'

function manifest(text: string): string {
  const file = join(dir, 'issuer.yaml')
  writeFileSync(file, text)
  return file
}

const runCheck = command(parseCheckFlags, check)
const run = (...args: readonly string[]) => runCheck(args)

/** What differs from run to run is named. */
function steady(text: string): string {
  return text
    .replaceAll(keyVersion, 'VERSION')
    .replaceAll(vault.info.tenantId, 'TENANT')
    .replace(/client [0-9a-f-]{36}/g, 'client CLIENT')
    .replace(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')
    .replace(/sha256\s+[0-9a-f]{16}…/g, 'sha256 HASH')
}

async function manage(method: string, path: string, body: object): Promise<void> {
  await vault.control.manage('contoso', method, path, { ...body })
}

test('a spec that is right is shown so, and what a laptop cannot show is said', async () => {
  const { code, out, err } = await run(`--file=${manifest(head + block)}`)
  assert.deepEqual([code, err], [0, ''])
  // Where the identifiers are, lines break as their length has it.
  const words = steady(out).replace(/\n {6,}/g, ' ')
  assert.equal(
    words,
    `ClusterIssuer/mine at https://contoso.vault.azure.net

In the cluster
  skipped  cluster    the default kubeconfig is not usable: its current context names no cluster

From here, as client CLIENT
  ok       vault      contoso.vault.azure.net answers, and takes tokens of tenant TENANT
  ok       token      Entra gave one to client CLIENT
  ok       policy     spec.policy can be read
  ok       ca         "CN=Contoso Root" is fit to issue, valid until TIME, and its own root
  ok       signature  https://contoso.vault.azure.net/keys/mesh-root/VERSION signed a test (ES256) that verifies with the CA certificate
  ok       key        ECDSA P-256 in software, without an expiry date
  ok       roots      goes out with each certificate: "CN=Contoso Root" (sha256 HASH)

  This is what works from here. Whether it does for the controller, in the cluster and as its
  workload identity, only its condition Ready will say.

7 ok, 1 skipped
`,
  )
})

test('a key that may not be used fails with the command, and the rest is still looked at', async () => {
  const path = `keys/mesh-root/${keyVersion}`
  await manage('PATCH', path, { attributes: { enabled: false } })
  try {
    const { code, out } = await run(`--file=${manifest(head + block)}`, '--json')
    const { result, findings } = JSON.parse(out)
    assert.deepEqual([code, result], [1, 'failed'])
    const results = findings.map(({ probe, result: one }: Record<string, string>) => [probe, one])
    assert.deepEqual(results, [
      ['cluster', 'skipped'],
      ['vault', 'ok'],
      ['token', 'ok'],
      ['policy', 'ok'],
      ['ca', 'ok'],
      ['signature', 'failed'],
      ['roots', 'ok'],
    ])
    const { code: why, commands } = findings[5]
    assert.equal(why, 'VaultKeyUnusable')
    assert.deepEqual(commands.map(steady), [
      'az keyvault key set-attributes --vault-name contoso --name mesh-root \\\n  --version VERSION --enabled true',
    ])
  } finally {
    await manage('PATCH', path, { attributes: { enabled: true } })
  }
})

test('a key that ends soon is a warning, which the controller could not give', async () => {
  const path = `keys/mesh-root/${keyVersion}`
  const exp = Math.floor(Date.now() / 1000) + 3 * 86_400
  await manage('PATCH', path, { attributes: { exp } })
  const { code, out } = await run(`--file=${manifest(head + block)}`)
  assert.equal(code, 0)
  assert.match(out, /warning {2}key {8}key "mesh-root" with version/)
  assert.match(out, /\n {6}az keyvault key set-attributes .*\n.* --expires /)
  assert.match(out, /\n1 warning, 6 ok, 1 skipped\n$/)
})

test('once the next CA has its place, the key of the one before may be gone', async () => {
  const flags = ['--subject=CN=Next Root', '--key-type=P-256', '--protection=software']
  const following = (await runCa('init', 'next', ...flags)).out
  const nested = following.slice(following.indexOf('    key:')).replace(/^/gm, '  ').trimEnd()
  const both = (activate: boolean) =>
    `${head}${block.trimEnd()}\n    next:\n      activate: ${activate}\n${nested}\n`
  const results = async (activate: boolean) => {
    const { code, out } = await run(`--file=${manifest(both(activate))}`, '--json')
    const { findings } = JSON.parse(out)
    const ofKeys = findings.filter(({ probe }: Record<string, string>) =>
      /signature/.test(probe ?? ''),
    )
    return [
      code,
      ...ofKeys.map(({ probe, result }: Record<string, string>) => `${probe} ${result}`),
    ]
  }
  assert.deepEqual(await results(false), [0, 'signature ok', 'next signature ok'])
  const path = `keys/mesh-root/${keyVersion}`
  await manage('PATCH', path, { attributes: { enabled: false } })
  try {
    assert.deepEqual(await results(false), [1, 'signature failed', 'next signature ok'])
    assert.deepEqual(await results(true), [0, 'signature skipped', 'next signature ok'])
  } finally {
    await manage('PATCH', path, { attributes: { enabled: true } })
  }
})

test('without a cluster everything that needs none is looked at', async () => {
  const chain = block.replace(
    '    key:',
    '    chain: {configMapRef: {name: above, key: pem}}\n    key:',
  )
  const { code, out } = await run(`--file=${manifest(head + chain)}`)
  assert.equal(code, 1)
  assert.match(out, /FAILED {3}ca .*ConfigMap "above" in namespace\s+"akv-issuer" cannot be read/)
  assert.match(out, /skipped {2}signature {2}the signature is tested against the CA certificate/)
})

test('a vault that no token may go to is not asked', async () => {
  const evil = block.replace('contoso.vault.azure.net', 'contoso.vault.example')
  const { code, out } = await run(`--file=${manifest(head + evil)}`)
  assert.equal(code, 1)
  assert.match(
    out,
    /FAILED {3}vault {4}VaultHostNotAllowed: vaultUrl host "contoso\.vault\.example"/,
  )
  assert.match(out, /\n {6}az keyvault list --query/)
  assert.doesNotMatch(out, /token/)
})

test('a file without an issuer, or with several, is refused by name', async () => {
  const two = `${head}${block}---\n${head.replace('mine', 'other')}${block}`
  for (const [text, args, words] of [
    [
      'kind: Secret\napiVersion: v1\n',
      [],
      /there is no issuer of keyvault\.akv-issuer\.io\/v1alpha1 in it/,
    ],
    ['{', [], /it is neither YAML nor JSON/],
    [two, [], /the issuers in it are clusterissuer\/mine, clusterissuer\/other; name one of them/],
    [two, ['clusterissuer/third'], /name one of them/],
  ] as const) {
    const { code, out, err } = await run(`--file=${manifest(text)}`, ...args)
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, words)
    assert.match(err, /^akv-issuer check: .*issuer\.yaml: /)
  }
  const { out } = await run(`--file=${manifest(two)}`, 'clusterissuer/other')
  assert.match(out, /^ClusterIssuer\/other at /)
  const gone = await run(`--file=${join(dir, 'nowhere')}`)
  assert.deepEqual([gone.code, gone.out], [1, ''])
  assert.match(gone.err, /cannot read .*nowhere: ENOENT/)
})

test('a cluster that was asked for has to be there', async () => {
  const { code, out } = await run(`--file=${manifest(head + block)}`, '--context=aks')
  assert.equal(code, 1)
  assert.match(out, /FAILED {3}cluster .*it has no context\s+"aks"/)
})

test('without any kubeconfig that is said, and a file is checked all the same', async () => {
  const { KUBECONFIG, HOME } = process.env
  try {
    delete process.env.KUBECONFIG
    process.env.HOME = dir
    const { out } = await run(`--file=${manifest(head + block)}`)
    assert.match(out, /skipped {2}cluster .*not usable: there is none, neither\s+by KUBECONFIG nor/)
    assert.match(out, /ok {7}signature/)
  } finally {
    Object.assign(process.env, { KUBECONFIG, HOME })
  }
})
