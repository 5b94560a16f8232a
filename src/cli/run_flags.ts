import { parseArgs } from 'node:util'
import { describeDuration, parseGoDuration } from '../api/duration.ts'
import { type LogLevel, logLevels } from '../log.ts'
import { cloudBySuffix } from '../vault/cloud.ts'
import { type Address, parseAddress } from './address.ts'
import { type EventGridFlags, eventGridHelp, readEventGridFlags } from './event_grid_flags.ts'
import { type ParsedFlags, parsedFlags } from './parsed_flags.ts'

export interface RunFlags {
  readonly kubeconfig: string | undefined
  /** Namespace of the Lease; the pod's own when absent. */
  readonly namespace: string | undefined
  /** Where the references of ClusterIssuers resolve; `namespace` when absent. */
  readonly clusterResourceNamespace: string | undefined
  readonly vaultHostSuffixes: readonly string[]
  readonly issuerAmbientIdentity: boolean
  readonly probeIntervalMs: number
  readonly certificatePollIntervalMs: number
  readonly rotationWindowMs: number
  /** Issuances a second. */
  readonly reissueRate: number
  readonly concurrency: number
  readonly leaderElect: boolean
  readonly listen: Address
  /** Absent: no notices are taken. */
  readonly eventGrid: EventGridFlags | undefined
  readonly logLevel: LogLevel
}

const knownSuffixes = [...cloudBySuffix.keys()]

export const runHelp = `akv-issuer run: answers CertificateRequests out of Azure Key Vault.

  --kubeconfig FILE                  default: the pod's ServiceAccount, else the default kubeconfig
  --namespace NAME                   of the Lease; default: the pod's own
  --cluster-resource-namespace NAME  where references of ClusterIssuers resolve; default: --namespace
  --vault-host-suffixes LIST         vaults that tokens may be sent to, comma separated; default:
                                     ${knownSuffixes.join(',\n                                     ')}
  --issuer-ambient-identity          let namespaced Issuers use the controller's own identity
  --probe-interval DURATION          between two proofs of an issuer that is ready; default 5m
  --certificate-poll-interval DURATION
                                     between two looks at a Key Vault certificate that is
                                     delivered; default 5m
  --rotation-window DURATION         over which the Certificates that take one new version from
                                     Key Vault are spread; default 2s
  --reissue-rate N                   issuances a second that a CA rollover asks for; default 4
  --concurrency N                    requests worked on at once; default 64
  --no-leader-elect                  for a single replica outside a cluster
  --listen HOST:PORT                 probes and metrics; default 0.0.0.0:9402
${eventGridHelp}
  --log-level LEVEL                  ${logLevels.join(', ')}; default info
`

/** Reads the flags of `akv-issuer run`. A refusal names the flag and what it takes. */
export function parseRunFlags(args: readonly string[]): ParsedFlags<RunFlags> {
  return parsedFlags('run', () => readFlags(args))
}

function readFlags(args: readonly string[]): RunFlags {
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    allowNegative: true,
    options: {
      kubeconfig: { type: 'string' },
      namespace: { type: 'string' },
      'cluster-resource-namespace': { type: 'string' },
      'vault-host-suffixes': { type: 'string', default: knownSuffixes.join(',') },
      'issuer-ambient-identity': { type: 'boolean', default: false },
      'probe-interval': { type: 'string', default: '5m' },
      'certificate-poll-interval': { type: 'string', default: '5m' },
      'rotation-window': { type: 'string', default: '2s' },
      'reissue-rate': { type: 'string', default: '4' },
      concurrency: { type: 'string', default: '64' },
      'leader-elect': { type: 'boolean', default: true },
      listen: { type: 'string', default: '0.0.0.0:9402' },
      'event-grid-listen': { type: 'string' },
      'event-grid-secret-file': { type: 'string' },
      'event-grid-tenant': { type: 'string' },
      'event-grid-audience': { type: 'string' },
      'event-grid-cloud': { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
    },
  })
  return {
    kubeconfig: values.kubeconfig,
    namespace: values.namespace,
    clusterResourceNamespace: values['cluster-resource-namespace'],
    vaultHostSuffixes: suffixes(values['vault-host-suffixes']),
    issuerAmbientIdentity: values['issuer-ambient-identity'],
    probeIntervalMs: duration('--probe-interval', values['probe-interval'], 1_000),
    certificatePollIntervalMs: duration(
      '--certificate-poll-interval',
      values['certificate-poll-interval'],
      1_000,
    ),
    rotationWindowMs: duration('--rotation-window', values['rotation-window'], 0),
    reissueRate: count('--reissue-rate', values['reissue-rate'], 1, 100),
    concurrency: count('--concurrency', values.concurrency, 1, 1024),
    leaderElect: values['leader-elect'],
    listen: parseAddress('--listen', values.listen),
    eventGrid: readEventGridFlags(values),
    logLevel: logLevel(values['log-level']),
  }
}

function suffixes(text: string): readonly string[] {
  const list = text.split(',').map((item) => item.trim().toLowerCase())
  const unknown = list.find((item) => !cloudBySuffix.has(item))
  if (unknown === undefined) return list
  throw new Error(
    `--vault-host-suffixes: "${unknown}" is none of the suffixes known: ${knownSuffixes.join(', ')}`,
  )
}

function duration(flag: string, text: string, atLeast: number): number {
  const ms = parseGoDuration(text)
  if (ms !== undefined && ms >= atLeast) return ms
  const least = describeDuration(atLeast)
  throw new Error(`${flag}: "${text}" is no duration of at least ${least}, as 5m or 30s`)
}

/** @throws Error that names the flag and the bounds */
export function count(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new Error(`${flag}: "${text}" is no whole number from ${least} to ${most}`)
}

function logLevel(text: string): LogLevel {
  const level = logLevels.find((candidate) => candidate === text)
  if (level !== undefined) return level
  throw new Error(`--log-level: "${text}" is none of ${logLevels.join(', ')}`)
}
