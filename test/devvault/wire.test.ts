import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type DevVault, startDevVault } from '../../src/devvault/dev_vault.ts'
import { FakeClock } from '../fake_clock.ts'
import { identityNamed, raw, stringAt, tokenOf } from './here.ts'
import { encodePart } from './jwt.ts'

const clock = new FakeClock()
const now = Math.floor(clock.now() / 1000)
const origin = 'https://contoso.vault.azure.net'
const api = 'api-version=2025-07-01'

let vault: DevVault
let token: string
let limited: string

before(async () => {
  vault = await startDevVault({ clock, vaults: ['contoso', 'fabrikam'] })
  vault.control.putIdentity({
    name: 'limited',
    clientId: 'cccccccc-0000-0000-0000-000000000001',
    secrets: ['x'],
    permissions: [
      {
        actions: ['Microsoft.KeyVault/vaults/keys/sign/action'],
        vault: 'contoso',
        object: 'keys/allowed',
      },
      { actions: ['certificates/*'], vault: 'fabrikam' },
    ],
  })
  token = await tokenOf(vault)
  const identities = [
    ...vault.info.identities,
    {
      ...identityNamed(vault, 'operator'),
      name: 'limited',
      clientId: 'cccccccc-0000-0000-0000-000000000001',
      clientSecret: 'x',
    },
  ]
  limited = await tokenOf({ ...vault, info: { ...vault.info, identities } }, 'limited')
})
after(() => vault.stop())

function digest(length: number): string {
  return randomBytes(length).toString('base64url')
}

/** Makes a key without the data plane and returns its version. */
async function keyNamed(name: string, body: object = { kty: 'EC' }): Promise<string> {
  const answer = await vault.control.manage('contoso', 'POST', `keys/${name}/create`, body)
  assert.equal(answer.status, 200)
  return stringAt(answer.body, 'key', 'kid').split('/').at(-1) ?? ''
}

function call(method: string, path: string, body?: unknown, as = token) {
  return raw(vault, {
    method,
    path: `${path}?${api}`,
    token: as,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

describe('the challenge', () => {
  test('comes first, whatever was asked', async () => {
    for (const path of ['/keys/ca/create?api-version=7.5', '/nonsense', '/keys/ca//sign']) {
      const answer = await raw(vault, {
        method: 'POST',
        path,
        headers: { 'x-ms-client-request-id': 'abc', 'content-length': '0' },
      })
      assert.equal(answer.status, 401)
      assert.deepEqual(answer.body, {
        error: {
          code: 'Unauthorized',
          message: 'AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.',
        },
      })
      const {
        date,
        connection,
        'keep-alive': _,
        'x-ms-request-id': id,
        ...headers
      } = answer.headers
      assert.ok(date && connection && id)
      assert.deepEqual(headers, {
        'cache-control': 'no-cache',
        'content-length': '108',
        'content-type': 'application/json; charset=utf-8',
        expires: '-1',
        pragma: 'no-cache',
        'strict-transport-security': 'max-age=31536000;includeSubDomains',
        'www-authenticate': `Bearer authorization="https://login.microsoftonline.com/${vault.info.tenantId}", resource="https://vault.azure.net"`,
        'x-content-type-options': 'nosniff',
        'x-ms-client-request-id': 'abc',
        'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;',
        'x-ms-keyvault-region': 'devvault',
        'x-ms-keyvault-service-version': '1.9.3347.1',
      })
    }
  })

  test('refuses what is no token of this tenant for vaults', async () => {
    const [header = '', claims = '', signature = ''] = token.split('.')
    const forged = encodePart({
      ...JSON.parse(Buffer.from(claims, 'base64url').toString()),
      exp: 9e9,
    })
    const other = await startDevVault()
    const foreign = await tokenOf(other)
    await other.stop()
    const forHsm = await tokenOf(vault, 'operator', 'https://managedhsm.azure.net')
    const cases: readonly (readonly [string, RegExp])[] = [
      ['abc', /^AKV10001/],
      [forHsm, /^AKV10022: Invalid audience/],
      [foreign, /^AKV10046: Unable to resolve the key used for signature validation/],
      [`${header}.${forged}.${signature}`, /InvalidSignature/],
      [`${encodePart({ alg: 'none' })}.${claims}.${signature}`, /^AKV10046/],
    ]
    for (const [bad, message] of cases) {
      const answer = await raw(vault, { path: `/keys?${api}`, token: bad })
      assert.equal(answer.status, 401)
      assert.match(stringAt(answer.body, 'error', 'message'), message)
      assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer authorization=/)
    }
  })

  test('says that a token has expired, and no sooner', async () => {
    const own = await startDevVault({ clock })
    const short = await tokenOf(own)
    clock.jump(3598_000)
    assert.equal((await raw(own, { path: `/keys?${api}`, token: short })).status, 200)
    clock.jump(1000)
    const answer = await raw(own, { path: `/keys?${api}`, token: short })
    clock.jump(-3599_000)
    await own.stop()
    assert.equal(answer.status, 401)
    assert.match(stringAt(answer.body, 'error', 'message'), /TokenExpired.*S2S12086/)
    assert.match(answer.headers['www-authenticate'] ?? '', /, error="invalid_token"$/)
  })
})

describe('requests', () => {
  test('need a known api-version, its name percent-encoded or not', async () => {
    assert.equal((await raw(vault, { path: '/keys?api%2Dversion=2026-04-01', token })).status, 200)
    for (const path of ['/keys', '/keys?api-version=2024-01-01', '/keys?Api-Version=7.5']) {
      const answer = await raw(vault, { path, token })
      assert.equal(answer.status, 400)
      assert.equal(stringAt(answer.body, 'error', 'code'), 'BadParameter')
    }
  })

  test('with a bad name or version, or for something not offered, are refused', async () => {
    const cases: readonly (readonly [string, string, number])[] = [
      ['GET', '/keys/under_score', 400],
      ['GET', `/keys/${'a'.repeat(128)}`, 400],
      ['GET', '/keys/ca/123', 400],
      ['GET', '/keys/constructor', 404],
      ['POST', '/certificates/web/backup', 404],
      ['GET', '/certificates/contacts/x/y', 404],
    ]
    for (const [method, path, status] of cases) {
      const answer = await call(method, path, method === 'POST' ? {} : undefined)
      assert.equal(answer.status, status, path)
    }
  })

  test('to a vault that does not exist get no answer', async () => {
    await assert.rejects(raw(vault, { host: 'missing.vault.azure.net', path: '/keys' }), {
      code: 'ECONNRESET',
    })
  })

  test('find nothing with the recorded words', async () => {
    const kinds = [
      ['keys', 'KeyNotFound', 'key'],
      ['certificates', 'CertificateNotFound', 'certificate'],
      ['secrets', 'SecretNotFound', 'secret'],
    ] as const
    for (const [path, code, kind] of kinds) {
      const answer = await call('GET', `/${path}/none/`)
      assert.equal(answer.status, 404)
      assert.deepEqual(answer.body, {
        error: {
          code,
          message: `A ${kind} with (name/id) none was not found in this key vault. If you recently deleted this ${kind} you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
        },
      })
    }
  })
})

describe('keys', () => {
  test('are created with the recorded bundle', async () => {
    const answer = await call('POST', '/keys/Bundle/create', {
      kty: 'RSA',
      attributes: { exp: now + 60 },
      tags: { team: 'pki' },
    })
    const kid = stringAt(answer.body, 'key', 'kid')
    assert.match(kid, new RegExp(`^${origin}/keys/Bundle/[0-9a-f]{32}$`))
    assert.deepEqual(answer.body, {
      key: {
        kid,
        kty: 'RSA',
        key_ops: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
        n: stringAt(answer.body, 'key', 'n'),
        e: 'AQAB',
      },
      attributes: {
        enabled: true,
        key_size: 2048,
        exp: now + 60,
        created: now,
        updated: now,
        recoveryLevel: 'Recoverable+Purgeable',
        recoverableDays: 90,
        exportable: false,
        hsmPlatform: '0',
      },
      tags: { team: 'pki' },
    })
    assert.deepEqual((await call('GET', '/keys/bundle/')).body, answer.body)
    const older = await raw(vault, { path: '/keys/bundle?api-version=7.6', token })
    assert.doesNotMatch(JSON.stringify(older.body), /key_size/)
  })

  test('refuse what Key Vault does not make', async () => {
    const bodies = [
      {},
      { kty: 'oct' },
      { kty: 'RSA', key_size: 1024 },
      { kty: 'EC', crv: 'P-192' },
      { kty: 'EC', key_ops: ['wrapKey'] },
      { kty: 'EC', attributes: { exp: 'soon' } },
    ]
    for (const body of bodies) {
      const answer = await call('POST', '/keys/refused/create', body)
      assert.equal(answer.status, 400, JSON.stringify(body))
      assert.equal(stringAt(answer.body, 'error', 'code'), 'BadParameter')
    }
  })

  test('that were deleted are gone, and block their name until purged', async () => {
    await keyNamed('doomed')
    const deleted = await call('DELETE', '/keys/doomed')
    assert.equal(stringAt(deleted.body, 'recoveryId'), `${origin}/deletedkeys/doomed`)
    assert.equal((await call('GET', '/keys/doomed')).status, 404)
    assert.equal((await call('POST', '/keys/doomed//sign', {})).status, 404)
    const again = await call('POST', '/keys/doomed/create', { kty: 'EC' })
    assert.equal(again.status, 409)
    assert.equal(
      stringAt(again.body, 'error', 'innererror', 'code'),
      'ObjectIsDeletedButRecoverable',
    )
    assert.equal((await call('DELETE', '/deletedkeys/doomed')).status, 204)
    assert.deepEqual((await call('GET', '/deletedkeys/doomed')).body, {
      error: { code: 'KeyNotFound', message: 'Deleted Key not found: doomed' },
    })
    assert.equal((await call('POST', '/keys/doomed/create', { kty: 'EC' })).status, 200)
  })
})

describe('sign', () => {
  test('names the version that signed, the latest unless told', async () => {
    const first = await keyNamed('versions')
    const second = await keyNamed('versions')
    const cases = [
      [`/keys/versions/${first}/sign`, first],
      [`/keys/versions/${second}/sign`, second],
      ['/keys/versions//sign', second],
      ['/keys/versions/sign', second],
    ] as const
    for (const [path, version] of cases) {
      const answer = await call('POST', path, { alg: 'ES256', value: digest(32) })
      assert.deepEqual(answer.body, {
        kid: `${origin}/keys/versions/${version}`,
        value: stringAt(answer.body, 'value'),
      })
      assert.equal(stringAt(answer.body, 'value').length, 86)
    }
  })

  test('wants the digest of the algorithm and the algorithm of the key', async () => {
    const ec = await keyNamed('strict', { kty: 'EC', crv: 'P-384' })
    await keyNamed('strict-rsa', { kty: 'RSA' })
    const kid = `${origin}/keys/strict/${ec}`
    const cases: readonly (readonly [string, object, RegExp | string])[] = [
      [
        'strict',
        { alg: 'ES384', value: digest(32) },
        "Invalid length of 'value': 32 bytes. ES384 requires 48 bytes, encoded with base64url.",
      ],
      [
        'strict',
        { alg: 'ES384', value: digest(49) },
        "Invalid length of 'value': 49 bytes. ES384 requires 48 bytes, encoded with base64url.",
      ],
      [
        'strict',
        { alg: 'ES256', value: digest(32) },
        `Key and signing algorithm are incompatible. Key ${kid} uses curve 'P-384', and algorithm 'ES256' can only be used with curve 'P-256'.`,
      ],
      [
        'strict',
        { alg: 'RS256', value: digest(32) },
        /^Key and signing algorithm are incompatible/,
      ],
      [
        'strict-rsa',
        { alg: 'ES256', value: digest(32) },
        /^Key and signing algorithm are incompatible/,
      ],
      ['strict-rsa', { alg: 'RS1', value: digest(20) }, /alg/],
      ['strict-rsa', { alg: 'RS256' }, /value/],
      ['strict-rsa', { alg: 'RS256', value: `${digest(31)}+/` }, /value/],
    ]
    for (const [name, body, message] of cases) {
      const answer = await call('POST', `/keys/${name}//sign`, body)
      assert.equal(answer.status, 400, JSON.stringify(body))
      assert.equal(stringAt(answer.body, 'error', 'code'), 'BadParameter')
      const seen = stringAt(answer.body, 'error', 'message')
      if (typeof message === 'string') assert.equal(seen, message)
      else assert.match(seen, message)
    }
  })

  test('is refused by the state of the key, reading is not', async () => {
    const cases = [
      [
        { attributes: { enabled: false } },
        'KeyDisabled',
        'Operation sign is not allowed on a disabled key.',
      ],
      [
        { key_ops: ['verify'] },
        'KeyOperationForbidden',
        'Operation sign is not permitted on this key.',
      ],
      [
        { attributes: { exp: now } },
        'KeyExpired',
        'Operation sign is not allowed on an expired key.',
      ],
      [
        { attributes: { nbf: now + 1 } },
        'KeyNotYetValid',
        'Operation sign is not allowed on a key that is not yet valid.',
      ],
    ] as const
    for (const [change, innerCode, message] of cases) {
      const name = `state-${innerCode}`
      const version = await keyNamed(name)
      assert.equal((await call('PATCH', `/keys/${name}/${version}`, change)).status, 200)
      const answer = await call('POST', `/keys/${name}/${version}/sign`, {
        alg: 'ES256',
        value: digest(32),
      })
      assert.equal(answer.status, 403)
      assert.deepEqual(answer.body, {
        error: { code: 'Forbidden', message, innererror: { code: innerCode } },
      })
      assert.equal((await call('GET', `/keys/${name}/${version}`)).status, 200)
    }
  })
})

describe('permissions', () => {
  test('refuse with the words of Azure RBAC', async () => {
    await keyNamed('Other')
    const answer = await call('GET', '/keys/Other/', undefined, limited)
    assert.equal(answer.status, 403)
    const subscription =
      '/subscriptions/00000000-0000-0000-0000-00000000d0e5/resourcegroups/devvault'
    assert.deepEqual(answer.body, {
      error: {
        code: 'Forbidden',
        message: [
          'Caller is not authorized to perform action on resource.',
          'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
          `Caller: appid=cccccccc-0000-0000-0000-000000000001;oid=${vault.control.identities().at(-1)?.objectId};iss=https://sts.windows.net/${vault.info.tenantId}/`,
          "Action: 'Microsoft.KeyVault/vaults/keys/read'",
          `Resource: '${subscription}/providers/microsoft.keyvault/vaults/contoso/keys/other'`,
          'Assignment: (not found)',
          'DenyAssignmentId: null',
          "DecisionReason: 'DeniedWithNoValidRBAC' ",
          'Vault: contoso;location=devvault',
          '',
        ].join('\r\n'),
        innererror: { code: 'ForbiddenByRbac' },
      },
    })
  })

  test('hold for action, vault and object', async () => {
    await keyNamed('allowed')
    await keyNamed('denied')
    const body = { alg: 'ES256', value: randomBytes(32).toString('base64url') }
    const cases: readonly (readonly [string, string, string, number])[] = [
      ['contoso', 'POST', '/keys/allowed//sign', 200],
      ['contoso', 'POST', '/keys/denied//sign', 403],
      ['contoso', 'GET', '/keys/allowed', 403],
      ['contoso', 'GET', '/certificates', 403],
      ['fabrikam', 'GET', '/certificates', 200],
      ['fabrikam', 'POST', '/keys/allowed//sign', 403],
    ]
    for (const [name, method, path, status] of cases) {
      const answer = await raw(vault, {
        host: `${name}.vault.azure.net`,
        method,
        path: `${path}?${api}`,
        token: limited,
        ...(method === 'POST' && { body: JSON.stringify(body) }),
      })
      assert.equal(answer.status, status, `${name} ${method} ${path}`)
    }
  })
})
