import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** A Go module under e2e/tools and the programs built from it. */
export interface ToolModule {
  readonly name: 'kube' | 'certmanager' | 'istio' | 'validators' | 'helm' | 'approver_policy'
  readonly programs: readonly { readonly file: string; readonly package: string }[]
  /** Whose version in go.mod the programs show as their own. */
  readonly versionOf: string
  readonly linkerFlags: (version: string) => readonly string[]
  readonly tags?: readonly string[]
  /** Folders of modules in go.mod that are kept beside the programs. */
  readonly keptFolders?: readonly KeptFolder[]
  /** Free disk a build from nothing needs, Go's caches included. Measured, rounded up. */
  readonly diskBytes: number
}

export interface KeptFolder {
  readonly name: string
  readonly module: string
  /** In the module. */
  readonly path: string
}

const componentVersion = 'k8s.io/component-base/version'

/** What a cluster is made of. */
export const clusterModules: readonly ToolModule[] = [
  {
    name: 'kube',
    programs: [
      { file: 'etcd', package: 'go.etcd.io/etcd/server/v3' },
      { file: 'kube-apiserver', package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
      { file: 'kubectl', package: 'k8s.io/kubernetes/cmd/kubectl' },
      { file: 'kube-controller-manager', package: 'k8s.io/kubernetes/cmd/kube-controller-manager' },
    ],
    versionOf: 'k8s.io/kubernetes',
    linkerFlags: (version) => [
      `-X=${componentVersion}.gitVersion=${version}`,
      `-X=${componentVersion}.gitMajor=1`,
      `-X=${componentVersion}.gitMinor=${version.split('.')[1]}`,
      `-X=${componentVersion}.gitTreeState=clean`,
    ],
    diskBytes: 5e9,
  },
  {
    name: 'certmanager',
    programs: [
      { file: 'cert-manager-controller', package: './controller' },
      { file: 'cert-manager-webhook', package: './webhook' },
    ],
    versionOf: 'github.com/cert-manager/cert-manager',
    linkerFlags: (version) => [
      `-X=github.com/cert-manager/cert-manager/pkg/util.AppVersion=${version}`,
    ],
    keptFolders: [
      { name: 'crds', module: 'github.com/cert-manager/cert-manager', path: 'deploy/crds' },
      {
        name: 'gateway-api-crds',
        module: 'sigs.k8s.io/gateway-api',
        path: 'config/crd/standard',
      },
    ],
    diskBytes: 3e9,
  },
]

const istioVersion = 'istio.io/istio/pkg/version'

/** istiod, of a development revision of 1.31: no release can be had as a Go module. */
export const istioModule: ToolModule = {
  name: 'istio',
  programs: [{ file: 'pilot-discovery', package: 'istio.io/istio/pilot/cmd/pilot-discovery' }],
  versionOf: 'istio.io/istio',
  linkerFlags: (version) => [
    `-X=${istioVersion}.buildVersion=1.31.0-dev`,
    `-X=${istioVersion}.buildGitRevision=${version.split('-').at(-1)}`,
  ],
  // As Istio builds it.
  tags: ['vtprotobuf', 'disable_pgv'],
  keptFolders: [
    { name: 'istio-crds', module: 'istio.io/istio', path: 'manifests/charts/base/files' },
  ],
  diskBytes: 5e9,
}

/** What judges certificates. */
export const validatorModule: ToolModule = {
  name: 'validators',
  programs: [
    { file: 'verify', package: './verify' },
    { file: 'zlint', package: './zlint' },
  ],
  versionOf: 'github.com/zmap/zlint/v3',
  linkerFlags: () => [],
  diskBytes: 1e9,
}

/** What installs and judges the chart. */
export const helmModule: ToolModule = {
  name: 'helm',
  programs: [
    { file: 'helm', package: 'helm.sh/helm/v4/cmd/helm' },
    { file: 'kubeconform', package: 'github.com/yannh/kubeconform/cmd/kubeconform' },
  ],
  versionOf: 'helm.sh/helm/v4',
  linkerFlags: (version) => [`-X=helm.sh/helm/v4/internal/version.version=${version}`],
  diskBytes: 2e9,
}

const approverPolicy = 'github.com/cert-manager/approver-policy'

/**
 * cert-manager's approver for policies, and its chart. It is built with the versions of helm's go.mod where
 * they share a module, so that four packages in five come out of Go's cache.
 */
export const approverPolicyModule: ToolModule = {
  name: 'approver_policy',
  programs: [{ file: 'approver-policy', package: `${approverPolicy}/cmd` }],
  versionOf: approverPolicy,
  linkerFlags: () => [],
  keptFolders: [
    {
      name: 'approver-policy-chart',
      module: approverPolicy,
      path: 'deploy/charts/approver-policy',
    },
  ],
  diskBytes: 2e9,
}

export const buildFlags = ['-trimpath', '-buildvcs=false', '-mod=readonly'] as const

export const cacheRoot = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'akv-issuer')

/** What a complete build of a module consists of: file and folder names. */
export function partsOf(module: ToolModule): readonly string[] {
  const files = module.programs.map(({ file }) => file)
  return [...files, ...(module.keptFolders ?? []).map(({ name }) => name)]
}

export function sourceFolder(module: ToolModule): string {
  return join(import.meta.dirname, '..', 'tools', module.name)
}

export function linkerFlagsOf(module: ToolModule): string {
  return ['-s', '-w', ...module.linkerFlags(requiredVersion(module))].join(' ')
}

/** The version of the wrapped software, as go.mod pins it. */
export function requiredVersion(module: ToolModule): string {
  const words = goMod(module).split(/\s+/)
  const version = words[words.indexOf(module.versionOf) + 1]
  if (!version?.startsWith('v')) throw new Error(`${module.name}/go.mod: no ${module.versionOf}`)
  return version
}

/** The least Go release that go.mod accepts, as in `1.26.0`. */
export function requiredGo(module: ToolModule): string {
  const version = /^go (\S+)$/m.exec(goMod(module))?.[1]
  if (!version) throw new Error(`${module.name}/go.mod has no go line`)
  return version
}

/**
 * Where the programs of a module are kept. The name holds a digest of all that decides what is
 * built: source, go.mod, go.sum, flags, platform. The Go release is not part of it, so that a
 * machine with a warm cache needs no Go at all.
 */
export function builtFolder(module: ToolModule): string {
  const folder = sourceFolder(module)
  const hash = createHash('sha256')
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  for (const file of files) {
    const content = readFileSync(file)
    hash.update(`${file.slice(folder.length)} ${content.length}\n`).update(content)
  }
  const settings = [process.arch, buildFlags, linkerFlagsOf(module), module]
  const digest = hash.update(JSON.stringify(settings)).digest('hex').slice(0, 16)
  return join(cacheRoot, 'tools', `${module.name}-${digest}`)
}

function goMod(module: ToolModule): string {
  return readFileSync(join(sourceFolder(module), 'go.mod'), 'utf8')
}
