import type { Json } from '../harness/json.ts'
import { Tutorial } from '../tutorial/tutorial.ts'
import { installChart } from './chart.ts'
import { LeafIssuer } from './delivered.ts'
import type { DeliveryScene } from './delivery_scene.ts'
import { type CertificateOptions, certificate, clusterIssuer } from './manifests.ts'
import { certificatesIn, clusterIssuers, startScene } from './scene.ts'
import { createEditor } from './users.ts'

/** As docs/tenancy.md calls them; each has a namespace and a ClusterIssuer of its name. */
export type Team = 'team-a' | 'team-b'

export interface TwoTeams {
  /** Delivery goes into the namespace of team A. */
  readonly here: DeliveryScene
  /** docs/tenancy.md, with the issuer of team A made. */
  readonly tutorial: Tutorial
  /** A user of each team, with the role `edit` in its namespace. */
  readonly editors: Readonly<Record<Team, string>>
}

/** Two teams, on an installation by the chart that may deliver to team A and read references of both. */
export async function startTwoTeams(): Promise<TwoTeams> {
  const teams = ['team-a', 'team-b'] as const
  const [a, b] = teams
  const controllerFlags = ['--certificate-poll-interval=1s']
  const scene = await startScene({ audit: true, controllerFlags })
  try {
    const { cluster, vault, ca } = scene
    for (const name of teams)
      await cluster.must('POST', '/api/v1/namespaces', { metadata: { name } })
    const editors = { [a]: await createEditor(cluster, a), [b]: await createEditor(cluster, b) }
    await installChart(cluster, {
      deliver: { enabled: true, namespaces: [a] },
      issuerReferences: { namespaces: teams },
    })
    await cluster.must('POST', '/api/v1/namespaces/akv-issuer/configmaps', {
      metadata: { name: 'gateway-ca' },
      data: { 'ca.crt': ca.pem },
    })
    const key = (name: string, version: string) => `name: ${name}, version: ${version}`
    const replace = new Map([
      [key('gateway-ca', '0123456789abcdef0123456789abcdef'), key(ca.key.name, ca.key.version)],
    ])
    const tutorial = new Tutorial(cluster, 'docs/tenancy.md', { replace, cannotRun: [] })
    await tutorial.follow('An issuer for each team')
    const policy = { namespaces: { names: [b] }, dnsNames: ['*.team-b.example.com'] }
    await cluster.must('POST', clusterIssuers, clusterIssuer(b, vault.url, ca, { policy }))
    for (const team of teams) await scene.ready(`${clusterIssuers}/${team}`)
    const here = { scene, leaves: new LeafIssuer(), namespace: a, path: certificatesIn(a) }
    return { here, tutorial, editors }
  } catch (error) {
    await scene.stop()
    throw error
  }
}

/** By the team's user, of its issuer and for a name under that of the team unless the options say others. */
export async function createTeamCertificate(
  { here, editors }: TwoTeams,
  team: Team,
  name: string,
  options: CertificateOptions = {},
): Promise<Json> {
  const spec = { dnsNames: [`${name}.${team}.example.com`], ...options.spec }
  const object = certificate(name, { issuer: team, ...options, spec })
  const user = { as: editors[team] }
  return await here.scene.cluster.must('POST', certificatesIn(team), object, user)
}
