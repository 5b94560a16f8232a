import { generateKeyPair } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Clock, systemClock } from '../clock.ts'
import { invariant } from '../error.ts'
import { type Random, systemRandom } from '../random.ts'
import { answerAdmin } from './admin.ts'
import { Control, type Latency } from './control.ts'
import { DataPlane } from './data_plane.ts'
import { authorityHost, Entra } from './entra.ts'
import { Faults } from './faults.ts'
import { Front } from './front.ts'
import { readBody, send, targetOf } from './http.ts'
import type { FederatedCredential, Identity, IdentityInput } from './identities.ts'
import { Journal } from './journal.ts'
import { newVersionId } from './objects.ts'
import { Quota, type QuotaSettings } from './quota.ts'
import { emptyVault, type State } from './state.ts'
import { makeServerIdentity } from './tls.ts'
import { TokenSigner } from './tokens.ts'

export interface DevVaultOptions {
  /** Free ports when absent. */
  readonly port?: number
  readonly adminPort?: number
  /** Where `ca.pem` goes; a temporary directory, removed at the end, when absent. */
  readonly stateDir?: string
  readonly tenantId?: string
  /** Names of vaults; the first one also answers to 127.0.0.1 and localhost. `['contoso']`. */
  readonly vaults?: readonly string[]
  /** `defaultIdentities()` when absent. */
  readonly identities?: readonly IdentityInput[]
  readonly latency?: Latency
  readonly quota?: QuotaSettings
  readonly clock?: Clock
  readonly random?: Random
}

/** Where everything is: the JSON line printed at start. */
export interface DevVaultInfo {
  /** `https://127.0.0.1:port`. Clients without the redirect must turn challenge verification off. */
  readonly vaultUrl: string
  /** Name of the first vault under its production name, such as `contoso.vault.azure.net`. */
  readonly vaultHost: string
  readonly vaultHosts: readonly string[]
  /** `https://127.0.0.1:port`; behind the redirect it is `https://login.microsoftonline.com`. */
  readonly authorityHost: string
  readonly adminUrl: string
  readonly caFile: string
  readonly tenantId: string
  readonly identities: readonly IdentityInfo[]
  /** File for `node --import`. */
  readonly preload: string
  /** Value of AKV_DEVVAULT_CONNECT for it. */
  readonly connect: string
  /** Environment of a client process under the production names. */
  readonly env: {
    readonly NODE_EXTRA_CA_CERTS: string
    readonly NODE_OPTIONS: string
    readonly AKV_DEVVAULT_CONNECT: string
  }
}

export interface IdentityInfo {
  readonly name: string
  readonly clientId: string
  readonly objectId: string
  readonly clientSecret: string | null
  readonly federation: readonly FederatedCredential[]
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

/** Starts Key Vault and Entra on loopback. Several may run side by side in one process. */
export async function startDevVault(options: DevVaultOptions = {}): Promise<DevVault> {
  const { clock = systemClock, random = systemRandom } = options
  const vaults = options.vaults ?? ['contoso']
  const [defaultVault] = vaults
  invariant(defaultVault, 'a dev vault needs the name of a vault')
  const state = await newState(options.tenantId ?? defaultTenantId, vaults, random)
  const signer = new TokenSigner(state.tokenKey)
  const quota = new Quota()
  const dataPlane = new DataPlane(state, signer, quota, clock, random)
  const parts = { journal: new Journal(), faults: new Faults(), quota }
  const control = new Control(parts, state, dataPlane, random)
  control.latency = options.latency ?? {}
  if (options.quota) quota.set(options.quota)
  for (const input of options.identities ?? defaultIdentities(random)) control.putIdentity(input)

  const tls = makeServerIdentity(clock.now(), random)
  const stop = new AbortController()
  const front = new Front({
    state,
    defaultVault: defaultVault.toLowerCase(),
    entra: new Entra(state, signer, clock, random),
    dataPlane,
    control,
    clock,
    random,
    stopping: stop.signal,
  })
  const server = createHttpsServer(
    { key: tls.keyPem, cert: tls.certificatePem, keepAliveTimeout: 120_000 },
    (request, response) => {
      front.handle(request, response).catch((error: unknown) => {
        // A client that went away in the middle is no defect of ours.
        if (request.complete && !stop.signal.aborted) complain(error)
        response.destroy()
      })
    },
  )
  const port = await listen(server, options.port ?? 0)
  const temporaryDir = options.stateDir === undefined
  const dir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'akv-devvault-')))
  await mkdir(dir, { recursive: true })
  const caFile = join(dir, 'ca.pem')
  await writeFile(caFile, tls.caPem)

  const partial = { port, caFile, vaults, tenantId: state.tenantId }
  const admin = createHttpServer((request, response) => {
    const handle = async () => {
      const target = targetOf(request.url)
      const body = await readBody(request)
      if (target === undefined || body === undefined) {
        response.destroy()
        return
      }
      const now = infoOf({ ...partial, adminUrl }, control.identities())
      send(response, await answerAdmin(control, now, request.method ?? '', target.path, body))
    }
    handle().catch((error: unknown) => {
      complain(error)
      response.destroy()
    })
  })
  const adminUrl = `http://127.0.0.1:${await listen(admin, options.adminPort ?? 0)}`

  return {
    info: infoOf({ ...partial, adminUrl }, control.identities()),
    control,
    async stop() {
      stop.abort(new Error('the dev vault stops'))
      await Promise.all([close(server), close(admin)])
      if (temporaryDir) await rm(dir, { recursive: true, force: true })
    },
  }
}

async function newState(
  tenantId: string,
  vaults: readonly string[],
  random: Random,
): Promise<State> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  return {
    tenantId: tenantId.toLowerCase(),
    tokenKey: { ...privateKey.export({ format: 'jwk' }), kid: newVersionId(random) },
    identities: [],
    issuerKeys: new Map(),
    vaults: new Map(vaults.map((name) => [name.toLowerCase(), emptyVault(name)])),
  }
}

function infoOf(
  parts: {
    readonly port: number
    readonly adminUrl: string
    readonly caFile: string
    readonly vaults: readonly string[]
    readonly tenantId: string
  },
  identities: readonly Identity[],
): DevVaultInfo {
  const { port, adminUrl, caFile, tenantId } = parts
  const vaultHosts = parts.vaults.map((name) => `${name.toLowerCase()}.vault.azure.net`)
  const reachable = [...vaultHosts, authorityHost].map((host) => `${host}:443=127.0.0.1:${port}`)
  const connect = [...reachable, '*.vault.azure.net:443=!', '*.managedhsm.azure.net:443=!'].join(
    ',',
  )
  const preload = new URL('redirect.mjs', import.meta.url)
  return {
    vaultUrl: `https://127.0.0.1:${port}`,
    vaultHost: vaultHosts[0] ?? '',
    vaultHosts,
    authorityHost: `https://127.0.0.1:${port}`,
    adminUrl,
    caFile,
    tenantId,
    identities: identities.map(({ name, clientId, objectId, secrets, federation }) => ({
      name,
      clientId,
      objectId,
      clientSecret: secrets[0] ?? null,
      federation,
    })),
    preload: fileURLToPath(preload),
    connect,
    env: {
      NODE_EXTRA_CA_CERTS: caFile,
      NODE_OPTIONS: `--import=${preload.href}`,
      AKV_DEVVAULT_CONNECT: connect,
    },
  }
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  invariant(typeof address === 'object' && address !== null, 'the server listens on a port')
  return address.port
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeAllConnections()
  await closed
}

function complain(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`dev vault: ${text}\n`)
}
