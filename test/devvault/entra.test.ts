import assert from 'node:assert/strict'
import { generateKeyPairSync, hash, type KeyObject, X509Certificate } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type DevVault, startDevVault } from '../../src/devvault/dev_vault.ts'
import { policyFrom } from '../../src/devvault/policy_request.ts'
import { selfSignedCertificate } from '../../src/devvault/x509.ts'
import { systemRandom } from '../../src/random.ts'
import { FakeClock } from '../fake_clock.ts'
import { askToken, at, identityNamed, raw, stringAt } from './here.ts'
import { jwt } from './jwt.ts'

const clock = new FakeClock()
const now = Math.floor(clock.now() / 1000)
const clientId = 'aaaaaaaa-0000-0000-0000-000000000001'
const rsaIssuer = 'https://rsa.example.com'
const ecIssuer = 'https://ec.example.com/'
const subject = 'system:serviceaccount:akv-issuer:akv-issuer'
const audience = 'api://AzureADTokenExchange'
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })

let vault: DevVault

before(async () => {
  vault = await startDevVault({
    clock,
    identities: [
      {
        clientId,
        name: 'workload',
        federation: [
          {
            issuer: rsaIssuer,
            subject,
            jwks: { keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'r1' }] },
          },
          { issuer: ecIssuer, subject },
          { issuer: 'https://keyless.example.com', subject },
        ],
      },
      { clientId: 'aaaaaaaa-0000-0000-0000-000000000002', name: 'secret', secrets: ['s3cret'] },
    ],
  })
  vault.control.addFederation(clientId, {
    issuer: ecIssuer,
    subject: 'system:serviceaccount:team:ca',
    jwks: { keys: [{ ...ec.publicKey.export({ format: 'jwk' }), kid: 'e1' }] },
  })
})
after(() => vault.stop())

interface Assertion {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  readonly key?: KeyObject
}

/** A projected service account token, as the API server signs them. */
function assertion({ header = {}, claims = {}, key = ec.privateKey }: Assertion = {}): string {
  const defaultHeader = { alg: key.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256', kid: 'e1' }
  const defaultClaims = { iss: ecIssuer, sub: subject, aud: [audience], nbf: now, exp: now + 3600 }
  return jwt({ ...defaultHeader, ...header }, { ...defaultClaims, ...claims }, key)
}

function federated(token: string): Record<string, string> {
  return {
    grant_type: 'client_credentials',
    client_id: clientId,
    scope: 'https://vault.azure.net/.default',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: token,
  }
}

describe('a service account token is exchanged', () => {
  const accepted: readonly (readonly [string, () => string])[] = [
    ['signed with ES256', () => assertion()],
    [
      'signed with RS256 by another issuer',
      () => assertion({ key: rsa.privateKey, header: { kid: 'r1' }, claims: { iss: rsaIssuer } }),
    ],
    [
      'of a subject registered later',
      () => assertion({ claims: { sub: 'system:serviceaccount:team:ca' } }),
    ],
    ['with one more audience', () => assertion({ claims: { aud: ['other', audience] } })],
  ]
  for (const [name, make] of accepted) {
    test(name, async () => {
      const { status, body } = await askToken(vault, federated(make()))
      assert.equal(status, 200)
      const token = stringAt(body, 'access_token')
      assert.deepEqual(body, {
        token_type: 'Bearer',
        expires_in: 3599,
        ext_expires_in: 3599,
        access_token: token,
      })
      const claims: unknown = JSON.parse(
        Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'),
      )
      assert.equal(stringAt(claims, 'aud'), 'https://vault.azure.net')
      assert.equal(stringAt(claims, 'appid'), clientId)
      assert.equal(stringAt(claims, 'oid'), identityNamed(vault, 'workload').objectId)
    })
  }
})

describe('an assertion signed with a certificate of the app', () => {
  const id = 'aaaaaaaa-0000-0000-0000-000000000003'
  const endpoint = `https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token`
  const policy = policyFrom({ x509_props: { subject: 'CN=app', key_usage: [], ekus: [] } })
  const validity = { from: clock.now() - 60_000, to: clock.now() + 60_000 }
  const certificate = selfSignedCertificate(policy, ec.privateKey, validity, systemRandom)
  const pem = new X509Certificate(certificate).toString()
  const x5t = hash('sha1', certificate, 'base64url')

  async function codeOf({ header = {}, claims = {}, key = ec.privateKey }: Assertion) {
    vault.control.putIdentity({ clientId: id, certificates: [pem] })
    const times = { nbf: now, exp: now + 600 }
    const token = jwt(
      { alg: 'ES256', x5t, ...header },
      { iss: id, sub: id, aud: endpoint, ...times, ...claims },
      key,
    )
    const { body } = await askToken(vault, { ...federated(token), client_id: id })
    return at(body, 'error_codes') ?? 'accepted'
  }

  const x5c = [Buffer.from(certificate).toString('base64')]
  const cases: readonly (readonly [string, unknown, Assertion])[] = [
    ['is accepted', 'accepted', {}],
    ['with its chain too', 'accepted', { header: { x5c } }],
    [
      'by its SHA-256 thumbprint',
      'accepted',
      { header: { x5t: undefined, 'x5t#S256': hash('sha256', certificate, 'base64url') } },
    ],
    ['a little early too', 'accepted', { claims: { nbf: now + 60 } }],
    ['not with another chain', [700027], { header: { x5c: ['MAA='] } }],
    ['not with an unknown thumbprint', [700027], { header: { x5t: 'AAAA' } }],
    ['not without a thumbprint', [50027], { header: { x5t: undefined } }],
    ['not with another key', [700027], { key: stranger.privateKey }],
    ['not for another audience', [700023], { claims: { aud: 'https://example.com' } }],
    ['not for another app', [700021], { claims: { sub: clientId } }],
    ['not after its end', [700024], { claims: { exp: now } }],
    ['not long before its beginning', [700024], { claims: { nbf: now + 400 } }],
  ]
  for (const [name, expected, made] of cases) {
    test(name, async () => assert.deepEqual(await codeOf(made), expected))
  }

  test('not when the certificate has expired', async () => {
    clock.jump(120_000)
    const times = { nbf: now, exp: now + 6000 }
    assert.deepEqual(await codeOf({ claims: times }), [700027])
    clock.jump(-120_000)
  })
})

describe('a refusal carries the AADSTS code of', () => {
  const secret = {
    grant_type: 'client_credentials',
    client_id: 'aaaaaaaa-0000-0000-0000-000000000002',
    client_secret: 's3cret',
    scope: 'https://vault.azure.net/.default',
  }
  const { client_secret: _, ...noCredential } = secret
  const { scope: __, ...noScope } = secret
  const refused: readonly (readonly [
    name: string,
    status: number,
    error: string,
    code: number,
    form: () => Record<string, string>,
  ])[] = [
    ['a wrong secret', 401, 'invalid_client', 7000215, () => ({ ...secret, client_secret: 'x' })],
    ['no credential', 401, 'invalid_client', 7000216, () => noCredential],
    [
      'an unknown client',
      400,
      'unauthorized_client',
      700016,
      () => ({ ...secret, client_id: 'x' }),
    ],
    ['no scope', 400, 'invalid_request', 900144, () => noScope],
    [
      'a scope without .default',
      400,
      'invalid_scope',
      1002012,
      () => ({ ...secret, scope: 'https://vault.azure.net/user' }),
    ],
    [
      'an unknown resource',
      400,
      'invalid_resource',
      500011,
      () => ({ ...secret, scope: 'https://example.com/.default' }),
    ],
    [
      'another grant',
      400,
      'unsupported_grant_type',
      70003,
      () => ({ ...secret, grant_type: 'password' }),
    ],
    [
      'an app without federation',
      401,
      'invalid_client',
      70021,
      () => ({ ...federated(assertion()), client_id: secret.client_id }),
    ],
    [
      'an issuer without its slash',
      401,
      'invalid_client',
      700211,
      () => federated(assertion({ claims: { iss: ecIssuer.slice(0, -1) } })),
    ],
    [
      'another subject',
      401,
      'invalid_client',
      700213,
      () => federated(assertion({ claims: { sub: 'system:serviceaccount:akv-issuer:other' } })),
    ],
    [
      'a subject in another case',
      401,
      'invalid_client',
      700213,
      () => federated(assertion({ claims: { sub: subject.toUpperCase() } })),
    ],
    [
      'another audience',
      401,
      'invalid_client',
      700212,
      () => federated(assertion({ claims: { aud: ['https://kubernetes.default.svc'] } })),
    ],
    [
      'an expired assertion',
      401,
      'invalid_client',
      700024,
      () => federated(assertion({ claims: { exp: now } })),
    ],
    [
      'an assertion of the future',
      401,
      'invalid_client',
      700024,
      () => federated(assertion({ claims: { nbf: now + 1 } })),
    ],
    [
      'an assertion without end',
      401,
      'invalid_client',
      700024,
      () => federated(assertion({ claims: { exp: undefined } })),
    ],
    [
      'a stranger’s signature',
      401,
      'invalid_client',
      700027,
      () => federated(assertion({ key: stranger.privateKey })),
    ],
    [
      'an unknown key id',
      401,
      'invalid_client',
      700027,
      () => federated(assertion({ header: { kid: 'e2' } })),
    ],
    [
      'an algorithm of another key type',
      401,
      'invalid_client',
      700027,
      () => federated(assertion({ header: { alg: 'RS256' } })),
    ],
    [
      'no algorithm',
      401,
      'invalid_client',
      700027,
      () => federated(assertion({ header: { alg: 'none' } })),
    ],
    [
      'an issuer nobody can reach',
      401,
      'invalid_client',
      90061,
      () => federated(assertion({ claims: { iss: 'https://keyless.example.com' } })),
    ],
    ['an assertion that is no token', 401, 'invalid_client', 50027, () => federated('abc')],
  ]
  for (const [name, status, error, code, form] of refused) {
    test(`${name} (${code})`, async () => {
      const answer = await askToken(vault, form())
      assert.equal(answer.status, status)
      assertErrorBody(answer.body, error, code)
    })
  }

  test('an unknown tenant, for tokens (90002)', async () => {
    const answer = await askToken(vault, secret, {
      tenant: '99999999-0000-0000-0000-000000000000',
    })
    assert.equal(answer.status, 400)
    assertErrorBody(answer.body, 'invalid_request', 90002)
  })

  test('an unknown tenant, in discovery (90002)', async () => {
    const answer = await raw(vault, {
      host: 'login.microsoftonline.com',
      path: '/99999999-0000-0000-0000-000000000000/v2.0/.well-known/openid-configuration',
    })
    assert.equal(answer.status, 400)
    assertErrorBody(answer.body, 'invalid_tenant', 90002)
  })
})

function assertErrorBody(body: unknown, error: string, code: number): void {
  const text = stringAt(body, 'error_description')
  assert.match(text, new RegExp(`^AADSTS${code}: .+ Trace ID: .+ Correlation ID: .+ Timestamp: `))
  assert.deepEqual(body, {
    error,
    error_description: text,
    error_codes: [code],
    timestamp: '2026-11-22 12:00:00Z',
    trace_id: stringAt(body, 'trace_id'),
    correlation_id: stringAt(body, 'correlation_id'),
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
  })
}
