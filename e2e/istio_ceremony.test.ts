import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import type { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { at, type Json, listAt, parseJson, textAt } from './harness/json.ts'
import type { ProgramOutput } from './harness/program.ts'
import { runCommand } from './product/command.ts'
import { certificate } from './product/manifests.ts'
import { certificateRequest, postRequest } from './product/requests.ts'
import { certificatesIn, clusterIssuers, type Scene, startScene } from './product/scene.ts'
import { certificatesOf, issued } from './product/tls_secret.ts'

/** The commands of docs/ca_ceremony.md. */
describe('akv-issuer ca', () => {
  let scene: Scene
  let namespace = ''
  let dir = ''
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ceremony-'))
    scene = await startScene()
    namespace = await scene.cluster.namespace('istio-system')
  })
  after(async () => {
    await scene?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const file = (name: string) => join(dir, name)
  const ca = (command: string, name: string, ...flags: readonly string[]) =>
    runCommand(scene.vault, [
      'ca',
      command,
      `--vault=${scene.vault.url}`,
      `--name=${name}`,
      ...flags,
    ])

  async function done(run: Promise<ProgramOutput>): Promise<ProgramOutput> {
    const result = await run
    assert.equal(result.code, 0, result.stderr)
    return result
  }

  async function versions(kind: 'keys' | 'secrets', name: string): Promise<number> {
    return listAt(await scene.vault.manage('GET', `${kind}/${name}/versions`), 'value').length
  }

  /** Pastes what a command printed into a ClusterIssuer. */
  async function issuerFrom(name: string, block: string, policy: object): Promise<void> {
    const head = `apiVersion: keyvault.akv-issuer.io/v1alpha1\nkind: ClusterIssuer\nmetadata: {name: ${name}}\n`
    const input = `${head}${block}  policy: ${JSON.stringify(policy)}\n`
    const { code, stderr } = await scene.cluster.kubectl(['apply', '-f', '-'], { input })
    assert.equal(code, 0, `${stderr}\n${input}`)
    await scene.ready(`${clusterIssuers}/${name}`)
  }

  function openssl(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: dir, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    return stdout
  }

  const rootFlags = ['--subject=CN=Contoso Root,O=Contoso', '--key-type=P-256']

  test('interrupted as a process, it goes on and makes one key and one root', async () => {
    for (const operation of ['keys/create', 'keys/sign', 'secrets/set']) {
      await scene.vault.admin('POST', '/faults', { operation, drop: true, afterwards: true })
      const broken = await ca('init', 'broken', ...rootFlags)
      assert.deepEqual([broken.code, broken.stdout.length], [1, 0], broken.stderr)
    }
    await done(ca('init', 'broken', ...rootFlags))
    assert.equal(await versions('keys', 'broken'), 1)
    assert.equal(await versions('secrets', 'broken'), 1)
  })

  test('a root, an intermediate under it, and the CA of a mesh under that', async () => {
    const record = file('root.json')
    const root = await done(ca('init', 'root', ...rootFlags, `--record=${record}`))
    await issuerFrom('root', root.stdout.toString(), {
      isCA: { allowed: true, maxPathLen: 1, namespaces: { names: [namespace] } },
    })

    const csr = await done(
      ca(
        'csr',
        'mesh',
        '--subject=CN=Contoso Mesh,O=Contoso',
        '--key-type=RSA-2048',
        '--protection=software',
      ),
    )
    const spec = { isCA: true, usages: ['cert sign', 'crl sign'], duration: '8760h' }
    const options = { issuer: 'root', spec }
    const request = certificateRequest('mesh', csr.stdout.toString(), options)
    const answered = await scene.ready(await postRequest(scene, namespace, request))
    const pem = (...path: readonly string[]) =>
      Buffer.from(textAt(answered, 'status', ...path), 'base64').toString()
    await writeFile(file('mesh.pem'), pem('certificate'))
    await writeFile(file('root.pem'), pem('ca'))
    const files = [`--certificate=${file('mesh.pem')}`, `--chain=${file('root.pem')}`]
    const installed = await done(ca('install', 'mesh', ...files))
    const again = await done(ca('install', 'mesh', ...files))
    assert.deepEqual(again.stdout, installed.stdout)
    assert.equal(await versions('keys', 'mesh'), 1)
    assert.equal(await versions('secrets', 'mesh'), 1)

    await issuerFrom('mesh', installed.stdout.toString(), {
      isCA: { allowed: true, namespaces: { names: [namespace] } },
    })
    const cacerts = certificate('cacerts', {
      issuer: 'mesh',
      spec: { secretName: 'cacerts', isCA: true, commonName: 'istiod', usages: ['cert sign'] },
    })
    await scene.cluster.must('POST', certificatesIn(namespace), cacerts)
    const tls = await issued(scene, namespace, 'cacerts')
    const chain = [tls.leaf, ...tls.above]
    assert.deepEqual(
      chain.map(({ subject }) => subject.split('\n').at(-1)),
      ['CN=istiod', 'CN=Contoso Mesh'],
    )
    await writeFile(file('chain.pem'), chain.map(String).join(''))
    openssl('verify', '-x509_strict', '-CAfile', 'root.pem', '-untrusted', 'chain.pem', 'chain.pem')

    const filed = parseJson(await readFile(record, 'utf8'))
    const [self] = certificatesOf(pem('ca'))
    assert.ok(self)
    assertRecord(filed, self)
  })

  function assertRecord(filed: Json, root: X509Certificate): void {
    assert.equal(
      at(filed, 'certificate', 'sha256'),
      root.fingerprint256.replaceAll(':', '').toLowerCase(),
    )
    assert.equal(at(filed, 'certificate', 'serial'), root.serialNumber.toLowerCase())
    assert.equal(at(filed, 'operator', 'tid'), scene.vault.tenantId)
    assert.match(
      textAt(filed, 'key', 'id'),
      /^https:\/\/contoso.vault.azure.net\/keys\/root\/[0-9a-f]{32}$/,
    )
    assert.deepEqual(at(filed, 'problems'), [])
    const steps = listAt(filed, 'steps').map((step) => textAt(step, 'what').split(' ')[0])
    assert.deepEqual(steps, ['made', 'signing', 'kept'])
  }

  test('an intermediate under an offline root', async () => {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-384',
      '-nodes',
      '-keyout',
      'offline.key',
      '-out',
      'offline.pem',
      '-subj',
      '/CN=Offline Root',
      '-days',
      '3650',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    )
    const request = [
      `--output=${file('corp.csr')}`,
      '--subject=CN=Corp Issuing',
      '--permit=dns:example.com',
    ]
    await done(ca('csr', 'corp', ...request))
    assert.match(
      openssl('req', '-in', 'corp.csr', '-noout', '-text', '-verify'),
      /CA:TRUE, pathlen:1[\s\S]*Certificate Sign, CRL Sign[\s\S]*DNS:example.com/,
    )
    const sign = [
      'x509',
      '-req',
      '-in',
      'corp.csr',
      '-CA',
      'offline.pem',
      '-CAkey',
      'offline.key',
      '-days',
      '1000',
    ]
    openssl(...sign, '-copy_extensions', 'copyall', '-out', 'corp.pem')

    const files = [`--certificate=${file('corp.pem')}`, `--chain=${file('offline.pem')}`]
    const { stdout, stderr } = await done(ca('install', 'corp', ...files))
    assert.match(stderr, /note +.*constrains names: permitted DNS name "example.com"/)
    await issuerFrom('corp', stdout.toString(), {})
    const shown = parseJson((await done(ca('show', 'corp', '--json'))).stdout.toString())
    assert.deepEqual(
      [
        at(shown, 'certificate', 'subject'),
        listAt(shown, 'chain').map((one) => at(one, 'subject')),
      ],
      ['CN=Corp Issuing', ['CN=Offline Root']],
    )
  })
})
