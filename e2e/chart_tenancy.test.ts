import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeKey } from '../test/pki/keys.ts'
import { dnsName, makeCsr, subjectAltName } from '../test/pki/make_csr.ts'
import type { Answer } from './harness/api_client.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, type Json, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { runCommand } from './product/command.ts'
import { federate, tokenAudience } from './product/controller.ts'
import {
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  holdSecret,
} from './product/delivery_scene.ts'
import { type CertificateOptions, clusterIssuer } from './product/manifests.ts'
import {
  callsOfOurs,
  isAccepted,
  isAnswer,
  reasonWritten,
  writesOfOurs,
} from './product/our_calls.ts'
import { certificateRequest, postRequest } from './product/requests.ts'
import { certificatesIn, clusterIssuers, issuersIn, requestsIn } from './product/scene.ts'
import { certificatesOf, issued } from './product/tls_secret.ts'
import { logLines } from './product/told.ts'
import {
  createTeamCertificate,
  startTwoTeams,
  type Team,
  type TwoTeams,
} from './product/two_teams.ts'
import { bind, createRequester } from './product/users.ts'

process.env.INSTALL = 'chart'

const [a, b] = ['team-a', 'team-b'] as const

describe('of two teams', () => {
  let teams: TwoTeams
  let here: DeliveryScene
  before(async () => {
    teams = await startTwoTeams()
    here = teams.here
  })
  after(() => here?.scene.stop())

  const createCertificate = (team: Team, name: string, options?: CertificateOptions) =>
    createTeamCertificate(teams, team, name, options)
  const requestOf = (team: Team, name: string): ApiPath => `${requestsIn(team)}/${name}-1`
  const messageOf = (object: Json) => textAt(conditionOf(object, 'Ready'), 'message')

  const assertNotSigned = async (work: () => Promise<void>) => {
    const signatures = await here.scene.signatures()
    await work()
    assert.equal(await here.scene.signatures(), signatures)
  }

  test('each has what its issuer allows', async () => {
    for (const team of [a, b]) {
      await createCertificate(team, 'shop')
      const { leaf } = await issued(here.scene, team, 'shop')
      assert.equal(leaf.subjectAltName, `DNS:shop.${team}.example.com`)
    }
  })

  const refusals: readonly (readonly [string, CertificateOptions, RegExp])[] = [
    [
      "another team's issuer",
      { issuer: a },
      /^namespace "team-b" may not use this issuer \(policy\.namespaces\)/,
    ],
    [
      "another team's issuer, and its names",
      { issuer: a, spec: { dnsNames: ['shop.team-a.example.com'] } },
      /^namespace "team-b" may not use this issuer \(policy\.namespaces\)/,
    ],
    [
      'names of another team',
      { spec: { dnsNames: ['shop.team-b.example.com', 'shop.team-a.example.com'] } },
      /^DNS name "shop\.team-a\.example\.com" is not allowed \(policy\.dnsNames: \*\.team-b\.example\.com\)/,
    ],
    ['a CA', { spec: { isCA: true } }, /^this issuer does not answer requests with isCA: true/],
  ]
  test('a team is refused', async (t) => {
    await assertNotSigned(async () => {
      for (const [what, options, words] of refusals) {
        await t.test(what, async () => {
          const name = what.replace(/\W+/g, '-').toLowerCase()
          await createCertificate(b, name, options)
          const request = await here.scene.ready(requestOf(b, name), 'False', 'Failed')
          assert.match(messageOf(request), words)
        })
      }
    })
  })

  test('who makes requests alone gets what the issuer allows, for a key of their own', async () => {
    const { scene } = here
    const user = await createRequester(scene.cluster, b)
    const post = (name: string, key: ReturnType<typeof makeKey>, host: string) => {
      const csr = makeCsr({ key, extensions: [subjectAltName(dnsName(host))] })
      return postRequest(scene, b, certificateRequest(name, csr, { issuer: b }), user)
    }
    const key = makeKey('ECDSA P-256')
    const answered = await scene.ready(await post('own-key', key, 'own-key.team-b.example.com'))
    const pem = Buffer.from(textAt(answered, 'status', 'certificate'), 'base64').toString()
    assert.ok(certificatesOf(pem)[0]?.publicKey.equals(key.publicKey), scene.evidence(answered))
    const refused = await post('other-name', key, 'shop.team-a.example.com')
    assert.match(
      messageOf(await scene.ready(refused, 'False', 'Failed')),
      /is not allowed \(policy/,
    )
    for (const path of [certificatesIn(b), `/api/v1/namespaces/${b}/secrets`] as const) {
      assert.equal((await scene.cluster.api('GET', path, undefined, { as: user })).code, 403)
    }
  })

  test('a request is noted as of who made it, and not of somebody else', async () => {
    const user = teams.editors[b]
    const spec = { username: teams.editors[a], groups: ['system:masters'], uid: 'another' }
    const request = certificateRequest('claimed', makeCsr(), { issuer: b, spec })
    const path = await postRequest(here.scene, b, request, user)
    const made = await here.scene.cluster.must('GET', path)
    const noted = ['username', 'groups', 'uid'].map((key) => at(made, 'spec', key))
    assert.deepEqual(noted, [user, ['system:authenticated'], ''])
  })

  test('an issuer is made by those who are let, in their namespace', async () => {
    const { cluster, vault, ca } = here.scene
    const name = teams.editors[a]
    const codes = async () => {
      const identity = { workload: { serviceAccountRef: { name: 'vault' } } }
      const object = clusterIssuer('own', vault.url, ca, { identity })
      const dryRun = (path: ApiPath, kind: string) =>
        cluster.api('POST', `${path}?dryRun=All`, { ...object, kind }, { as: name })
      return {
        own: (await dryRun(issuersIn(a), 'Issuer')).code,
        other: (await dryRun(issuersIn(b), 'Issuer')).code,
        cluster: (await dryRun(clusterIssuers, 'ClusterIssuer')).code,
      }
    }
    assert.deepEqual(await codes(), { own: 403, other: 403, cluster: 403 })
    await teams.tutorial.follow('Who can get what')
    await bind(cluster, a, { kind: 'Role', name: 'akv-issuers' }, { kind: 'User', name })
    await until('the right counts', async () => (await codes()).own !== 403)
    assert.deepEqual(await codes(), { own: 201, other: 403, cluster: 403 })
  })

  test('an Issuer gets nothing of another namespace', async () => {
    const { scene } = here
    const { cluster, vault, ca } = scene
    const { clientId, clientSecret } = vault.identity('akv-issuer')
    const createSecret = (namespace: string, name: string) =>
      cluster.must('POST', `/api/v1/namespaces/${namespace}/secrets`, {
        metadata: { name },
        stringData: { secret: clientSecret },
      })
    const createIssuer = async (name: string, secretRef: object, certificateRef: object) => {
      const identity = { clientSecret: { tenantId: vault.tenantId, clientId, secretRef } }
      const spec = { identity, ca: { key: ca.key, certificate: certificateRef } }
      const object = { ...clusterIssuer(name, vault.url, ca, spec), kind: 'Issuer' }
      await cluster.must('POST', issuersIn(b), object)
      return messageOf(await scene.ready(`${issuersIn(b)}/${name}`, 'False', 'ReferenceNotFound'))
    }
    await createSecret(a, 'entra')
    await createSecret(b, 'own')
    const pem = { pem: ca.pem }
    const said = [
      await createIssuer('by-name', { name: 'entra', key: 'secret' }, pem),
      await createIssuer('by-namespace', { name: 'entra', key: 'secret', namespace: a }, pem),
      await createIssuer(
        'by-config-map',
        { name: 'own', key: 'secret' },
        { configMapRef: { name: 'gateway-ca', key: 'ca.crt' } },
      ),
    ]
    const missing = /^(Secret "entra"|ConfigMap "gateway-ca") .* namespace "team-b"/
    for (const message of said) assert.match(message, missing)
    const calls = callsOfOurs(await cluster.auditEvents())
    const read = calls.filter(
      ({ namespace, resource }) => namespace === a && resource === 'secrets',
    )
    assert.deepEqual(read, [])
  })

  test('who has the role edit is the ServiceAccounts of the namespace, in the vault too', async () => {
    const { scene, leaves } = here
    const { cluster, vault } = scene
    const answers: Answer[] = []
    for (const namespace of [a, b]) {
      const accounts: ApiPath = `/api/v1/namespaces/${namespace}/serviceaccounts`
      await cluster.must('POST', accounts, { metadata: { name: 'vault' } })
      const spec = { audiences: [tokenAudience] }
      const as = teams.editors[a]
      answers.push(await cluster.api('POST', `${accounts}/vault/token`, { spec }, { as }))
    }
    assert.deepEqual(
      answers.map(({ code }) => code),
      [201, 403],
    )

    const clientId = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'
    const permissions = [{ actions: ['certificates/read', 'secrets/getSecret/action'] }]
    await vault.admin('PUT', '/identities', { clientId, permissions })
    await federate(cluster, vault, clientId, `${a}:vault`)
    await leaves.import(vault, 'on-no-list')
    const tokenFile = join(cluster.dir, 'of-the-editor')
    await writeFile(tokenFile, textAt(answers[0]?.body, 'status', 'token'), { mode: 0o600 })
    const { code, stdout, stderr } = await runCommand(
      vault,
      ['export', `--vault=${vault.url}`, '--certificate=on-no-list'],
      {
        env: {
          AZURE_TENANT_ID: vault.tenantId,
          AZURE_CLIENT_ID: clientId,
          AZURE_FEDERATED_TOKEN_FILE: tokenFile,
        },
      },
    )
    assert.equal(code, 0, stderr)
    assert.match(stdout.toString(), /-----BEGIN PRIVATE KEY-----/)
  })

  /** What was written in answer to the requests of a Certificate, and the API server took. */
  const answersTo = async (name: string) =>
    writesOfOurs(await here.scene.cluster.auditEvents(), a)
      .filter((write) => isAnswer(write) && isAccepted(write))
      .filter((write) => write.name.replace(/-\d+$/, '') === name)
      .map(reasonWritten)

  test('of a suspended issuer nothing is signed; each request is answered once later', async () => {
    const { scene } = here
    await teams.tutorial.follow('Suspend')
    const path = `${clusterIssuers}/${a}` as const
    await scene.ready(path, 'False', 'IssuerSuspended')
    await assertNotSigned(async () => {
      await createCertificate(a, 'held')
      const request = await scene.ready(requestOf(a, 'held'), 'False', 'Pending')
      assert.equal(messageOf(request), 'ClusterIssuer "team-a" is suspended (spec.suspend)')
    })
    await scene.cluster.must('PATCH', path, { spec: { suspend: false } })
    await issued(scene, a, 'held')
    assert.deepEqual(await answersTo('held'), ['Pending', 'Issued'])
  })

  test('nor is anything delivered, also of what is under way and what was rotated', async () => {
    const { scene, leaves } = here
    const names = ['asked', 'under-way', 'rotated'] as const
    const namespaces = { names: [a] }
    for (const name of names) await leaves.import(scene.vault, name)
    await createDeliverIssuer(
      here,
      'sites',
      names.map((name) => ({ name, namespaces })),
    )
    const create = (name: string) =>
      createCertificate(a, name, { issuer: 'sites', spec: { dnsNames: [`${name}.example.com`] } })
    const swapsFor = (name: string) =>
      logLines(scene.controller).filter(
        (line) =>
          at(line, 'message') === 'putting the key from Key Vault in place' &&
          at(line, 'certificate') === name,
      ).length
    const counts = async () =>
      Object.fromEntries(
        await Promise.all(
          names.map(async (name) => [
            name,
            {
              swaps: swapsFor(name),
              issued: (await answersTo(name)).filter((reason) => reason === 'Issued').length,
            },
          ]),
        ),
      )

    await create('rotated')
    await issued(scene, a, 'rotated')
    const isBeingRead = await holdSecret(here, 'under-way', 2_000)
    await create('under-way')
    await isBeingRead()
    const path = `${clusterIssuers}/sites` as const
    await scene.cluster.must('PATCH', path, { spec: { suspend: true } })
    await scene.ready(path, 'False', 'IssuerSuspended')
    await create('asked')
    const second = await leaves.import(scene.vault, 'rotated')
    const request = await scene.ready(requestOf(a, 'asked'), 'False', 'Pending')
    assert.equal(messageOf(request), 'ClusterIssuer "sites" is suspended (spec.suspend)')
    // Longer than the secret is held back, and several polls.
    await delay(3_500)
    const none = { swaps: 0, issued: 0 }
    const stopped = { asked: none, 'under-way': none, rotated: { swaps: 1, issued: 1 } }
    assert.deepEqual(await counts(), stopped)
    const kept = await scene.ready(`${certificatesIn(a)}/rotated`)
    assert.notEqual(at(conditionOf(kept, 'Issuing'), 'status'), 'True')

    await scene.cluster.must('PATCH', path, { spec: { suspend: false } })
    await deliveredSecret(here, 'rotated', second)
    for (const name of names) await issued(scene, a, name)
    await until('no issuance under way', async () => {
      const certificateNow = await scene.cluster.must('GET', `${certificatesIn(a)}/rotated`)
      return at(conditionOf(certificateNow, 'Issuing'), 'status') !== 'True'
    })
    const once = { swaps: 1, issued: 1 }
    const twice = { swaps: 2, issued: 2 }
    assert.deepEqual(await counts(), { asked: once, 'under-way': once, rotated: twice })
  })

  test('the other manifests of the page are those of chart_approver_policy', () => {
    assert.deepEqual(
      teams.tutorial.left.map(({ section }) => section),
      ['One issuer for all teams', 'One issuer for all teams', 'References without the group'],
    )
  })
})
