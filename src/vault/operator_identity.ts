import {
  AzureCliCredential,
  ManagedIdentityCredential,
  type TokenCredential,
} from '@azure/identity'
import { IssuerError } from '../error.ts'
import type { Cloud } from './cloud.ts'
import { firstLine } from './failure.ts'
import {
  type CompleteIdentity,
  credentialOf,
  workloadEnvironment,
  workloadIdentity,
} from './identity.ts'
import { holderOf } from './identity_failure.ts'
import type { TokenHolder } from './token_source.ts'

/** Who a command that a person or a pipeline runs is to Entra. */
export type OperatorIdentity =
  | CompleteIdentity
  /** The account that the Azure CLI is logged in with. */
  | { readonly type: 'cli' }

/** How a flag says it; `auto` takes the first that the environment is set up for. */
export const identityChoices = ['auto', 'environment', 'workload', 'cli', 'managed'] as const
export type IdentityChoice = (typeof identityChoices)[number]

/**
 * The identity for a choice. `auto` looks at the environment and tries nothing out: the same
 * environment gives the same identity, whatever answers or does not. It never takes a managed
 * identity, which belongs to the machine and to all who use it.
 *
 * @throws IssuerError `IdentityRefused` when the environment lacks what the choice needs
 */
export function operatorIdentity(choice: IdentityChoice, env: NodeJS.ProcessEnv): OperatorIdentity {
  if (choice !== 'auto') return identityByChoice[choice](env)
  if (env.AZURE_CLIENT_SECRET !== undefined) return fromEnvironment(env)
  if (env.AZURE_FEDERATED_TOKEN_FILE !== undefined) return fromWorkload(env)
  return { type: 'cli' }
}

export function operatorCredential(identity: OperatorIdentity, cloud: Cloud): TokenCredential {
  if (identity.type === 'cli') return new AzureCliCredential({ processTimeoutInMs: 25_000 })
  if (identity.type !== 'managed') return credentialOf(identity, cloud)
  const retryOptions = { maxRetries: 1 }
  const { clientId } = identity
  return new ManagedIdentityCredential({
    ...(clientId !== undefined && { clientId }),
    retryOptions,
  })
}

export function operatorHolder(identity: OperatorIdentity): TokenHolder {
  if (identity.type === 'cli') {
    return unnamedHolder('the account that az is logged in with', 'run az login')
  }
  if (identity.type !== 'managed') return holderOf(identity)
  const who =
    identity.clientId === undefined
      ? "the machine's managed identity"
      : `the managed identity with client id ${identity.clientId}`
  return unnamedHolder(who, 'check that it is assigned to this machine (AZURE_CLIENT_ID names one)')
}

const identityByChoice: Readonly<
  Record<Exclude<IdentityChoice, 'auto'>, (env: NodeJS.ProcessEnv) => OperatorIdentity>
> = {
  environment: fromEnvironment,
  workload: fromWorkload,
  cli: () => ({ type: 'cli' }),
  managed: (env) => ({ type: 'managed', clientId: env.AZURE_CLIENT_ID }),
}

function fromEnvironment(env: NodeJS.ProcessEnv): OperatorIdentity {
  return {
    type: 'clientSecret',
    tenantId: required(env, 'AZURE_TENANT_ID'),
    clientId: required(env, 'AZURE_CLIENT_ID'),
    clientSecret: required(env, 'AZURE_CLIENT_SECRET'),
  }
}

function fromWorkload(env: NodeJS.ProcessEnv): OperatorIdentity {
  const names = ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_FEDERATED_TOKEN_FILE']
  for (const name of names) required(env, name)
  return workloadIdentity({ tenantId: undefined, clientId: undefined }, workloadEnvironment(env))
}

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name]
  if (value !== undefined && value !== '') return value
  throw new IssuerError(
    'IdentityRefused',
    `${name} is not set — set it, or choose who to be with --identity ${identityChoices.join('|')}`,
  )
}

function unnamedHolder(who: string, advice: string): TokenHolder {
  const failure = (thrown: unknown) => {
    const text = firstLine(thrown instanceof Error ? thrown.message : String(thrown))
    return new IssuerError(
      'IdentityRefused',
      `could not get a token for ${who}: ${text} — ${advice}, or choose another with --identity`,
      { cause: thrown },
    )
  }
  return { who, failure }
}
