import { generateKeyPair, X509Certificate } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Clock, systemClock } from '../clock.ts'
import { IssuerError, invariant } from '../error.ts'
import { type Random, systemRandom } from '../random.ts'
import { answerAdmin } from './admin.ts'
import { Behaviour, type BehaviourSettings } from './behaviour.ts'
import { vaultKindNamed, vaultNameOf } from './clouds.ts'
import { Control, type Latency } from './control.ts'
import { DataPlane } from './data_plane.ts'
import { Entra } from './entra.ts'
import { EventGrid } from './event_grid.ts'
import { Faults } from './faults.ts'
import { Front } from './front.ts'
import type { IdentityInput } from './identities.ts'
import { type DevVaultInfo, infoOf } from './info.ts'
import { Journal } from './journal.ts'
import { close, complain, listen, plainServer } from './listening.ts'
import { newVersionId } from './objects.ts'
import { Quota, type QuotaSettings } from './quota.ts'
import { SettableClock } from './settable_clock.ts'
import { emptyVault, type State } from './state.ts'
import { loadState, Store } from './store.ts'
import { makeServerIdentity } from './tls.ts'
import { TokenSigner } from './tokens.ts'

export interface DevVaultOptions {
  /** Free ports when absent. */
  readonly port?: number
  readonly adminPort?: number
  readonly imdsPort?: number
  /**
   * Where `ca.pem` and the state are kept, for the next start as well; without it everything is
   * forgotten at the end.
   */
  readonly stateDir?: string
  /** `defaultTenantId`, or the one of the state. */
  readonly tenantId?: string
  /**
   * Names of vaults, added to those of the state; `contoso` without any. Of a Managed HSM, or in
   * another cloud than the public one, a vault's name is its host. The first one also answers to
   * 127.0.0.1 and localhost.
   */
  readonly vaults?: readonly string[]
  /** `defaultIdentities()` when absent from here and the state. Replace those of the same client id. */
  readonly identities?: readonly IdentityInput[]
  readonly latency?: Latency
  readonly quota?: QuotaSettings
  readonly behaviour?: Partial<BehaviourSettings>
  readonly clock?: Clock
  readonly random?: Random
}

export interface DevVault {
  readonly info: DevVaultInfo
  readonly control: Control
  stop(): Promise<void>
}

export const defaultTenantId = '11111111-1111-1111-1111-111111111111'

/** `akv-issuer` with what the product needs and no more, `operator` with all rights. */
export function defaultIdentities(random: Random = systemRandom): readonly IdentityInput[] {
  const secret = () => Buffer.from(random.bytes(24)).toString('base64url')
  return [
    {
      name: 'akv-issuer',
      clientId: '22222222-2222-2222-2222-222222222222',
      managed: 'user',
      secrets: [secret()],
      permissions: [
        {
          actions: [
            'keys/sign/action',
            'keys/read',
            'certificates/read',
            'secrets/getSecret/action',
          ],
        },
      ],
    },
    {
      name: 'operator',
      clientId: '33333333-3333-3333-3333-333333333333',
      secrets: [secret()],
      permissions: [{ actions: ['*'] }],
    },
  ]
}

/** Starts Key Vault, Entra and a metadata endpoint on loopback. Several may run side by side. */
export async function startDevVault(options: DevVaultOptions = {}): Promise<DevVault> {
  const { clock = systemClock, random = systemRandom } = options
  const temporaryDir = options.stateDir === undefined
  const dir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'akv-devvault-')))
  await mkdir(dir, { recursive: true })
  const kept = temporaryDir ? undefined : await loadState(dir)
  const state = kept ?? (await newState(options, clock, random))
  takeOver(state, options, clock, random)
  const store = temporaryDir ? undefined : new Store(dir, state)
  const saved = async () => await store?.save()

  const signer = new TokenSigner(state.tokenKey)
  const entra = new Entra(state, signer, clock, random)
  const quota = new Quota()
  const behaviour = new Behaviour()
  const vaultClock = new SettableClock(clock, state)
  const stop = new AbortController()
  const journal = new Journal()
  const eventGrid = new EventGrid({ state, entra, journal, clock, random, stopping: stop.signal })
  const dataPlane = new DataPlane({
    state,
    signer,
    quota,
    behaviour,
    clock,
    vaultClock,
    random,
    onChange: (vault) => eventGrid.changed(vault),
    saved,
  })
  const parts = {
    journal,
    eventGrid,
    faults: new Faults(),
    quota,
    behaviour,
    clock: vaultClock,
  }
  const control = new Control(parts, state, dataPlane, random)
  control.latency = options.latency ?? {}
  if (options.quota) quota.set(options.quota)
  if (options.behaviour) behaviour.set(options.behaviour)
  const identities = options.identities ?? (kept ? [] : defaultIdentities(random))
  for (const input of identities) control.putIdentity(input)
  await saved()

  const front = new Front({
    state,
    defaultVault: (options.vaults?.[0] ?? [...state.vaults.keys()][0] ?? '').toLowerCase(),
    entra,
    dataPlane,
    control,
    clock,
    random,
    stopping: stop.signal,
  })
  const { keyPem, certificatePem, caPem } = state.server
  const server = createHttpsServer(
    { key: keyPem, cert: certificatePem, keepAliveTimeout: 120_000 },
    (request, response) => {
      front.handle(request, response).catch((error: unknown) => {
        // A client that went away in the middle is no defect of ours.
        if (request.complete && !stop.signal.aborted) complain(error)
        response.destroy()
      })
    },
  )
  const port = await listen(server, options.port ?? 0)
  const caFile = join(dir, 'ca.pem')
  await writeFile(caFile, caPem)

  const imds = plainServer((request) => front.metadata(request))
  const imdsUrl = `http://127.0.0.1:${await listen(imds, options.imdsPort ?? 0)}`
  const vaults = [...state.vaults.values()].map(({ name }) => name)
  const where = { port, imdsUrl, caFile, vaults, tenantId: state.tenantId }
  const admin = plainServer(async ({ method, target, body }) => {
    const answer = await answerAdmin(
      control,
      infoOf({ ...where, adminUrl }, control.identities()),
      method,
      target.path,
      body,
    )
    if (method !== 'GET') await saved()
    return answer
  })
  const adminUrl = `http://127.0.0.1:${await listen(admin, options.adminPort ?? 0)}`

  return {
    info: infoOf({ ...where, adminUrl }, control.identities()),
    control,
    async stop() {
      stop.abort(new Error('the dev vault stops'))
      await Promise.all([close(server), close(imds), close(admin)])
      await saved()
      if (temporaryDir) await rm(dir, { recursive: true, force: true })
    },
  }
}

async function newState(options: DevVaultOptions, clock: Clock, random: Random): Promise<State> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  return {
    tenantId: (options.tenantId ?? defaultTenantId).toLowerCase(),
    server: makeServerIdentity(clock.now(), random),
    clockOffset: 0,
    tokenKey: { ...privateKey.export({ format: 'jwk' }), kid: newVersionId(random) },
    identities: [],
    issuerKeys: new Map(),
    vaults: new Map(),
  }
}

/** What flags say of a state that may have been there before. */
function takeOver(state: State, options: DevVaultOptions, clock: Clock, random: Random): void {
  const { tenantId = state.tenantId } = options
  if (tenantId.toLowerCase() !== state.tenantId) {
    throw new IssuerError(
      'SpecInvalid',
      `the state is of tenant ${state.tenantId}, not ${tenantId}: leave the tenant out, or take another state directory`,
    )
  }
  const names = options.vaults ?? (state.vaults.size > 0 ? [] : ['contoso'])
  for (const name of names) {
    vaultKindNamed(name)
    const id = vaultNameOf(name.toLowerCase())
    if (!state.vaults.has(id)) state.vaults.set(id, emptyVault(vaultNameOf(name)))
  }
  invariant(state.vaults.size > 0, 'a dev vault needs the name of a vault')
  const end = new X509Certificate(state.server.certificatePem).validToDate.getTime()
  if (end < clock.now() + 30 * 86_400_000) state.server = makeServerIdentity(clock.now(), random)
}
