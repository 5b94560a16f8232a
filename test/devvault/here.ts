import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import * as tls from 'node:tls'
import { RestError } from '@azure/core-rest-pipeline'
import { ClientSecretCredential } from '@azure/identity'
import { type DevVault, type DevVaultOptions, startDevVault } from '../../src/devvault/dev_vault.ts'
import type { IdentityInfo } from '../../src/devvault/info.ts'

/**
 * A dev vault for the test's own process: trusted, and standing under the production names. One for
 * each process, which is one for each test file.
 */
export async function startHere(options: DevVaultOptions = {}): Promise<DevVault> {
  const vault = await startDevVault(options)
  const ca = readFileSync(vault.info.caFile, 'utf8')
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), ca])
  process.env.AKV_DEVVAULT_CONNECT = vault.info.connect
  await import('../../src/devvault/redirect.mjs')
  return vault
}

export function identityNamed(vault: DevVault, name: string): IdentityInfo {
  const identity = vault.info.identities.find((one) => one.name === name)
  if (identity === undefined) throw new Error(`no identity ${name}`)
  return identity
}

export function credentialOf(vault: DevVault, name = 'operator'): ClientSecretCredential {
  const { clientId, clientSecret } = identityNamed(vault, name)
  return new ClientSecretCredential(vault.info.tenantId, clientId, clientSecret ?? '')
}

export interface RawRequest {
  readonly method?: string
  readonly path: string
  /** The first vault's production name when absent. */
  readonly host?: string
  readonly token?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Parsed JSON, or nothing. */
  readonly body: unknown
}

/** A request without any SDK, to see exact answers. */
export function raw(vault: DevVault, asked: RawRequest): Promise<RawAnswer> {
  const host = asked.host ?? vault.info.vaultHost
  const port = Number(new URL(vault.info.vaultUrl).port)
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        path: asked.path,
        method: asked.method ?? 'GET',
        servername: /^[0-9]/.test(host) ? '' : host.replace(/:\d+$/, ''),
        ca: readFileSync(vault.info.caFile),
        agent: false,
        headers: {
          host,
          ...(asked.token && { authorization: `Bearer ${asked.token}` }),
          ...asked.headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
            ),
            body: text === '' ? undefined : JSON.parse(text),
          })
        })
      },
    )
    request.on('error', reject)
    request.end(asked.body)
  })
}

/** Asks Entra, the public cloud's unless `host` is another, for a token as a client with a secret does. */
export function askToken(
  vault: DevVault,
  form: Readonly<Record<string, string>>,
  { tenant = vault.info.tenantId, host = 'login.microsoftonline.com' } = {},
): Promise<RawAnswer> {
  return raw(vault, {
    host,
    method: 'POST',
    path: `/${tenant}/oauth2/v2.0/token`,
    body: new URLSearchParams(form).toString(),
  })
}

export async function tokenOf(
  vault: DevVault,
  name = 'operator',
  resource = 'https://vault.azure.net',
): Promise<string> {
  const { clientId, clientSecret } = identityNamed(vault, name)
  const { body } = await askToken(vault, {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret ?? '',
    scope: `${resource}/.default`,
  })
  return stringAt(body, 'access_token')
}

/** What stands in an answer, by the names on the way to it. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null
        ? Object.entries(inner).find(([key]) => key === name)?.[1]
        : undefined,
    value,
  )
}

/** A string in an answer, by the names on the way to it. */
export function stringAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path)
  if (typeof found !== 'string') throw new Error(`no string at ${path.join('.')}`)
  return found
}

/** Checks what the SDK makes of an error answer. */
export function refusal(status: number, code: string, innerCode?: string) {
  return (error: unknown) => {
    assert.ok(error instanceof RestError)
    const { details } = error
    const inner = innerCode && stringAt(details, 'error', 'innerError', 'code')
    assert.deepEqual([error.statusCode, error.code, inner], [status, code, innerCode])
    return true
  }
}
