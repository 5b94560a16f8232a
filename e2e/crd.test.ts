import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { clusterIssuerSpecs, deliverIssuerSpecs, issuerSpecs } from './crd/examples.ts'
import { parsePath, pathText, withAt } from './crd/paths.ts'
import { type Refused, refused, refusedModes, refusedOfClusterIssuer } from './crd/refusals.ts'
import { breachesOf, messagesOf, nodesOf, type SchemaNode } from './crd/schema_rules.ts'
import type { ApiPath, Cluster } from './harness/cluster.ts'
import { at, type Json, listAt, parseJson, textAt } from './harness/json.ts'
import { startCluster } from './harness/start_cluster.ts'
import { until } from './harness/until.ts'

const config = join(import.meta.dirname, '..', 'config')
const ours = '/apis/keyvault.akv-issuer.io/v1alpha1'

interface Kind {
  readonly kind: string
  readonly plural: string
  readonly path: ApiPath
  readonly specs: readonly Json[]
  readonly refusals: readonly Refused[]
  /** Fields that it does not have. */
  readonly unknown: readonly string[]
}

const kinds: readonly Kind[] = [
  {
    kind: 'ClusterIssuer',
    plural: 'clusterissuers',
    path: `${ours}/clusterissuers`,
    specs: clusterIssuerSpecs,
    refusals: [
      ...refused,
      ...refusedOfClusterIssuer,
      ...refusedModes({ name: 'myapp', namespaces: { all: true } }),
    ],
    unknown: ['spec.vault', 'spec.certificate', 'spec.ca.previous'],
  },
  {
    kind: 'Issuer',
    plural: 'issuers',
    path: `${ours}/namespaces/default/issuers`,
    specs: [...issuerSpecs, ...deliverIssuerSpecs],
    refusals: [...refused, ...refusedModes({ name: 'myapp' })],
    unknown: ['spec.vault', 'spec.answerUngrouped', 'spec.policy.namespaces'],
  },
]

describe('our CRDs', () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster()
  })
  after(() => cluster?.stop())

  const kubectl = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await cluster.kubectl(args)
    assert.equal(code, 0, stderr)
    return { stdout, stderr }
  }

  test('are applied without a warning, with the RBAC beside them', async () => {
    await kubectl('create', 'namespace', 'akv-issuer')
    const files = ['-f', join(config, 'crd'), '-f', join(config, 'rbac')]
    const { stdout, stderr } = await kubectl('apply', ...files)
    assert.equal(stderr, '')
    assert.match(
      stdout,
      /customresourcedefinition.*clusterissuers\.keyvault\.akv-issuer\.io created/,
    )
    for (const { path } of kinds) {
      await until(`${path} served`, async () => (await cluster.api('GET', path)).code === 200)
    }
    // kubectl keeps what it has discovered; this has it look again.
    await kubectl('api-resources')
  })

  for (const each of kinds) {
    describe(each.kind, () => {
      let nodes: readonly SchemaNode[]
      before(async () => {
        const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
        const crd = await cluster.must('GET', `${crds}/${each.plural}.keyvault.akv-issuer.io`)
        const version = at(crd, 'spec', 'versions', 0, 'schema', 'openAPIV3Schema')
        nodes = nodesOf(at(version, 'properties', 'spec') ?? null, ['spec'])
      })

      const create = (object: Json) =>
        cluster.api('POST', `${each.path}?dryRun=All&fieldValidation=Strict`, {
          apiVersion: 'keyvault.akv-issuer.io/v1alpha1',
          kind: each.kind,
          ...Object(object),
        })
      /** What the API server says of each field when the object is created; empty when it is taken. */
      const verdict = async (object: Json): Promise<readonly { field: string; says: string }[]> => {
        const { code, body } = await create(object)
        if (code === 201) return []
        return listAt(body, 'details', 'causes').map((cause) => ({
          field: String(at(cause, 'field')),
          says: String(at(cause, 'message')),
        }))
      }
      const objects: readonly Json[] = each.specs.map((spec) => ({
        metadata: { name: 'example' },
        spec,
      }))
      const exampleWith = (path: readonly (string | number)[]): Json => {
        const found = objects.find((object) => at(object, ...path) !== undefined)
        return found ?? assert.fail(`no example says ${pathText(path)}; add one to crd/examples.ts`)
      }

      test('take what is good', async () => {
        for (const object of objects) assert.deepEqual(await verdict(object), [])
      })

      test('refuse what breaks a rule of the schema, at its place', async () => {
        for (const node of nodes) {
          const good = exampleWith(node.path)
          for (const { path, value, says } of breachesOf(node, at(good, ...node.path) ?? null)) {
            const causes = await verdict(withAt(good, path, value))
            const field = pathText(path)
            assert.ok(
              causes.some((cause) => cause.field === field && says.test(cause.says)),
              `${field} = ${JSON.stringify(value)}: expected ${says}, got ${JSON.stringify(causes)}`,
            )
          }
        }
      })

      test('refuse what breaks a rule in CEL, in its words', async () => {
        for (const { path: field, values, message } of each.refusals) {
          const path = parsePath(field)
          for (const value of values) {
            const causes = await verdict(withAt(exampleWith(path), path, value))
            assert.ok(
              causes.some((cause) => cause.field === field && cause.says.endsWith(`: ${message}`)),
              `${field} = ${JSON.stringify(value)}: expected "${message}", got ${JSON.stringify(causes)}`,
            )
          }
        }
        const tested = each.refusals.map(({ path, message }) => `${path}: ${message}`)
        const rules = nodes.flatMap((node) =>
          messagesOf(node).map((message) => `${pathText(node.path)}: ${message}`),
        )
        assert.deepEqual(tested.toSorted(), rules.toSorted(), 'each rule has its row')
      })

      test('refuse fields that they do not know', async () => {
        const [good = null] = objects
        for (const field of each.unknown) {
          const { code, body } = await create(withAt(good, parsePath(field), true))
          assert.equal(code, 400, field)
          assert.match(textAt(body, 'message'), /strict decoding error: unknown field/)
          assert.ok(textAt(body, 'message').endsWith(`unknown field "${field}"`))
        }
      })
    })
  }

  describe('in kubectl', () => {
    const spec = {
      vaultUrl: 'https://contoso.vault.azure.net',
      ca: {
        key: { name: 'ca', version: '0123456789abcdef0123456789abcdef' },
        certificate: { pem: 'PEM' },
      },
      policy: {},
    }
    const defaults = {
      suspend: false,
      policy: { duration: { default: '2160h', min: '5m', max: '8760h', backdate: '30s' } },
      limits: { inFlight: 32 },
    }
    const status = {
      mode: 'sign',
      conditions: [
        {
          ...{ type: 'Ready', status: 'True', reason: 'Verified', message: 'all is well' },
          lastTransitionTime: '2026-11-22T10:00:00Z',
        },
      ],
      ca: { notAfter: '2036-11-22T10:00:00Z' },
    }
    const table = async (...args: readonly string[]) => {
      const lines = (await kubectl(...args)).stdout.trim().split('\n')
      return lines.map((line) => line.split(/ {2,}/).slice(0, -1))
    }
    before(async () => {
      const identity = { workload: {} }
      const [apiVersion, theirs] = ['keyvault.akv-issuer.io/v1alpha1', 'cert-manager.io/v1']
      const namespaced = { name: 'team', namespace: 'default' }
      const objects = [
        { apiVersion, kind: 'ClusterIssuer', metadata: { name: 'vault' }, spec },
        { apiVersion, kind: 'Issuer', metadata: namespaced, spec: { ...spec, identity } },
        {
          apiVersion: theirs,
          kind: 'ClusterIssuer',
          metadata: { name: 'theirs' },
          spec: { selfSigned: {} },
        },
        {
          apiVersion: theirs,
          kind: 'Issuer',
          metadata: { ...namespaced, name: 'theirs' },
          spec: { selfSigned: {} },
        },
      ]
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
      const { code, stderr } = await cluster.kubectl(['apply', '-f', '-'], { input })
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
      for (const path of ['/clusterissuers/vault', '/namespaces/default/issuers/team'] as const) {
        await cluster.must('PATCH', `${ours}${path}/status`, { status })
      }
    })

    test('what is left out is filled in', async () => {
      const show = async (...what: readonly string[]) =>
        at(parseJson((await kubectl('get', ...what, '-o', 'json')).stdout), 'spec')
      assert.deepEqual(await show('akvci', 'vault'), {
        ...spec,
        ...defaults,
        identity: { workload: {} },
        answerUngrouped: false,
      })
      assert.deepEqual(await show('akvi', 'team'), {
        ...spec,
        ...defaults,
        identity: { workload: {} },
      })
    })

    test('the columns tell whether it is ready, of which vault and until when', async () => {
      const columns = ['READY', 'REASON', 'VAULT', 'MODE', 'CA EXPIRES']
      const row = ['True', 'Verified', spec.vaultUrl, 'sign', '2036-11-22T10:00:00Z']
      assert.deepEqual(await table('get', 'akvci'), [
        ['NAME', ...columns],
        ['vault', ...row],
      ])
      assert.deepEqual(await table('get', 'akvi', '-A'), [
        ['NAMESPACE', 'NAME', ...columns],
        ['default', 'team', ...row],
      ])
      assert.deepEqual(await table('get', 'akvci', '-o', 'wide'), [
        ['NAME', ...columns, 'MESSAGE'],
        ['vault', ...row, 'all is well'],
      ])
    })

    test('clusterissuers and issuers go on to mean those of cert-manager', async () => {
      for (const word of ['clusterissuers', 'clusterissuer', 'ciss']) {
        const { stdout, stderr } = await kubectl('get', word, '-o', 'name')
        assert.deepEqual([stdout, stderr], ['clusterissuer.cert-manager.io/theirs\n', ''], word)
      }
      for (const word of ['issuers', 'issuer', 'iss']) {
        const { stdout, stderr } = await kubectl('get', word, '-A', '-o', 'name')
        assert.deepEqual([stdout, stderr], ['issuer.cert-manager.io/theirs\n', ''], word)
      }
      const { stdout } = await kubectl('explain', 'clusterissuer')
      assert.match(stdout, /^GROUP: +cert-manager\.io$/m)
    })

    test('the category cert-manager lists ours and theirs', async () => {
      const { stdout } = await kubectl('get', 'cert-manager', '-A', '-o', 'name')
      assert.deepEqual(stdout.trim().split('\n').toSorted(), [
        'clusterissuer.cert-manager.io/theirs',
        'clusterissuer.keyvault.akv-issuer.io/vault',
        'issuer.cert-manager.io/theirs',
        'issuer.keyvault.akv-issuer.io/team',
      ])
    })

    test('explain tells what the fields are', async () => {
      const { stdout } = await kubectl('explain', 'akvci.spec.ca')
      const text = stdout.replace(/\s+/g, ' ')
      assert.match(text, /GROUP: keyvault\.akv-issuer\.io KIND: ClusterIssuer VERSION: v1alpha1/)
      assert.match(text, /FIELD: ca <Object> DESCRIPTION: The CA whose/)
      assert.match(text, /key <Object> The Key Vault key that signs\./)
    })
  })
})
