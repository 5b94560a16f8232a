import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { matrix } from './chart/matrix.ts'
import { schemasFor } from './chart/schemas.ts'
import type { ApiPath, Cluster } from './harness/cluster.ts'
import { at, type Json, listAt, parseJson, textAt } from './harness/json.ts'
import { runProgram } from './harness/program.ts'
import { startCluster } from './harness/start_cluster.ts'
import { ensureHelm } from './harness/tools.ts'
import { until } from './harness/until.ts'
import { chartFolder, helm, installChart, releaseName } from './product/chart.ts'
import { clusterIssuers } from './product/scene.ts'

const config = join(import.meta.dirname, '..', 'config')
const crd: ApiPath =
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/clusterissuers.keyvault.akv-issuer.io'
const issuer = {
  apiVersion: 'keyvault.akv-issuer.io/v1alpha1',
  kind: 'ClusterIssuer',
  metadata: { name: 'of-the-user' },
  spec: {
    vaultUrl: 'https://contoso.vault.azure.net',
    certificates: [{ name: 'myapp', namespaces: { all: true } }],
  },
}

describe('the chart, on an API server', () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster()
    for (const name of ['istio-system', 'apps', 'team-a', 'issuer-secrets', releaseName]) {
      await cluster.must('POST', '/api/v1/namespaces', { metadata: { name } })
    }
    await cluster.createCrd(serviceMonitorCrd)
  })
  after(() => cluster?.stop())

  for (const [name, values] of matrix) {
    test(`${name}: every object is accepted, and kubeconform finds no fault`, async () => {
      const args = ['template', releaseName, chartFolder, `--namespace=${releaseName}`]
      const { code, stdout, stderr } = await helm(
        cluster,
        [...args, '--values=-'],
        JSON.stringify(values),
      )
      assert.equal(code, 0, stderr)
      const flags = ['--server-side', '--dry-run=server', '--validate=strict', '--output=name']
      const applied = await cluster.kubectl(['apply', ...flags, '-f', '-'], { input: stdout })
      assert.equal(applied.code, 0, applied.stderr)
      assert.equal(applied.stderr, '')
      const rendered = stdout.match(/^kind: /gm)?.length
      assert.equal(applied.stdout.trim().split('\n').length, rendered)

      const schemas = await schemasFor(cluster)
      const judged = await runProgram(
        {
          program: (await ensureHelm()).path('kubeconform'),
          kubeconfig: cluster.kubeconfig,
          home: cluster.dir,
        },
        ['-strict', '-summary', '-output=json', `-schema-location=${schemas}`],
        stdout,
      )
      assert.equal(judged.code, 0, judged.stdout + judged.stderr)
      const { valid, skipped } = counts(parseJson(judged.stdout))
      assert.deepEqual({ valid, skipped }, { valid: rendered, skipped: 0 })
    })
  }

  test('grants what config/rbac grants', async () => {
    const values = {
      deliver: { enabled: true },
      kubernetesCsr: { enabled: true },
      eventGrid: { enabled: true, secretName: 'event-grid' },
      rollover: { enabled: true },
      issuerReferences: { namespaces: ['team-a'] },
      tokenRequest: [{ namespace: 'team-a', serviceAccounts: ['team-a'] }],
    }
    await installChart(cluster, values)
    const release = await helm(cluster, ['get', 'manifest', releaseName, `-n${releaseName}`])
    const ofConfig: Json[] = []
    const folders = ['deliver', 'kubernetes_csr', 'event_grid', 'rollover', 'token_request']
    for (const folder of ['rbac', ...folders.map((name) => `rbac/${name}`)]) {
      ofConfig.push(...(await rulesIn(readFolder(join(config, folder)))))
    }
    assert.deepEqual(sorted(await rulesIn(release.stdout)), sorted(ofConfig))
  })

  test('takes over CRDs that kubectl applied, and upgrades them', async () => {
    await uninstall()
    await deleteCrds()
    const older = crdsWithout('suspend')
    const applied = await cluster.kubectl(['apply', '-f', '-'], { input: older })
    assert.equal(applied.code, 0, applied.stderr)
    assert.equal(await hasField('suspend'), false)
    await createIssuer()
    await installChart(cluster, {}, { flags: ['--take-ownership', '--force-conflicts'] })
    assert.equal(await hasField('suspend'), true)
    assert.equal((await cluster.api('GET', `${clusterIssuers}/of-the-user`)).code, 200)
  })

  test('an upgrade of the release brings new fields, and keeps values and issuers', async () => {
    const older = join(cluster.dir, 'older-chart')
    cpSync(chartFolder, older, { recursive: true })
    for (const name of readdirSync(join(older, 'files/crds'))) {
      const file = join(older, 'files/crds', name)
      writeFileSync(file, withoutField(readFileSync(file, 'utf8'), 'suspend'))
    }
    await installChart(cluster, { replicaCount: 3 }, { chart: older })
    assert.equal(await hasField('suspend'), false)
    await installChart(cluster)
    assert.equal(await hasField('suspend'), true)
    assert.equal((await cluster.api('GET', `${clusterIssuers}/of-the-user`)).code, 200)
    const path: ApiPath = `/apis/apps/v1/namespaces/${releaseName}/deployments/${releaseName}`
    assert.equal(at(await cluster.must('GET', path), 'spec', 'replicas'), 3)
  })

  test('uninstalling leaves the CRDs and the issuers, and nothing else', async () => {
    await uninstall()
    assert.equal((await cluster.api('GET', `${clusterIssuers}/of-the-user`)).code, 200)
    const { stdout } = await cluster.kubectl([
      'get',
      'clusterroles,clusterrolebindings,roles,rolebindings,deployments,services,serviceaccounts,poddisruptionbudgets',
      '--all-namespaces',
      `--selector=app.kubernetes.io/instance=${releaseName}`,
      '--output=name',
    ])
    assert.equal(stdout, '')
  })

  test('a release without crds.keep takes them along', async () => {
    await installChart(cluster, { crds: { keep: false } })
    await uninstall()
    await gone()
  })

  async function deleteCrds(): Promise<void> {
    const { code, stderr } = await cluster.kubectl(['delete', '-f', join(config, 'crd')])
    assert.equal(code, 0, stderr)
    await gone()
  }

  async function gone(): Promise<void> {
    await until('the CRDs are gone', async () => (await cluster.api('GET', crd)).code === 404)
  }

  async function createIssuer(): Promise<void> {
    const { code, stderr } = await cluster.kubectl(['apply', '-f', '-'], {
      input: JSON.stringify(issuer),
    })
    assert.equal(code, 0, stderr)
  }

  async function uninstall(): Promise<void> {
    const args = ['uninstall', releaseName, `--namespace=${releaseName}`]
    const { code, stderr } = await helm(cluster, args)
    assert.equal(code, 0, stderr)
  }

  async function hasField(field: string): Promise<boolean> {
    const schema = at(
      await cluster.must('GET', crd),
      'spec',
      'versions',
      0,
      'schema',
      'openAPIV3Schema',
    )
    return at(schema, 'properties', 'spec', 'properties', field) !== undefined
  }

  /** The rules of every role in the manifests, as the API server reads them. */
  async function rulesIn(yaml: string): Promise<readonly Json[]> {
    const args = ['create', '--dry-run=client', '--output=json', '-f', '-']
    const { code, stdout, stderr } = await cluster.kubectl(args, { input: yaml })
    assert.equal(code, 0, stderr)
    // One object after the other, each as a document of its own.
    const objects = parseJson(`[${stdout.replaceAll(/^\}\n(?=\{)/gm, '},\n')}]`)
    return listAt(objects)
      .filter((object) => textAt(object, 'kind').endsWith('Role'))
      .flatMap((role) => listAt(role, 'rules'))
  }
})

function sorted(rules: readonly Json[]): readonly string[] {
  return rules.map((rule) => JSON.stringify(rule, Object.keys(Object(rule)).sort())).sort()
}

function counts(report: Json) {
  return { valid: at(report, 'summary', 'valid'), skipped: at(report, 'summary', 'skipped') }
}

function readFolder(folder: string): string {
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('---\n')
}

/** Our CRDs as an older version could have had them. */
function crdsWithout(field: string): string {
  return withoutField(readFolder(join(config, 'crd')), field)
}

/** Drops a property of the spec, with all that is indented below it. */
function withoutField(yaml: string, field: string): string {
  return yaml.replace(new RegExp(`^( +)${field}:\\n(?:\\1 +.*\\n)+`, 'gm'), '')
}

/** As much of the Prometheus operator's kind as an API server needs to take one. */
const serviceMonitorCrd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: ServiceMonitor, plural: servicemonitors, singular: servicemonitor, listKind: ServiceMonitorList}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
`
