import { type EventGridCloud, eventGridClouds } from '../event_grid/entra_token.ts'
import { type Address, parseAddress } from './address.ts'

export interface EventGridFlags {
  readonly listen: Address
  readonly sender:
    | { readonly kind: 'secret'; readonly file: string }
    | {
        readonly kind: 'entra'
        readonly cloud: EventGridCloud
        readonly tenantId: string
        readonly audience: string
      }
}

const defaultCloud = 'AzureCloud'

export const eventGridHelp = `  --event-grid-listen HOST:PORT      takes notices of Azure Event Grid there; default: none are
                                     taken. Needs one of:
  --event-grid-secret-file FILE      the secret that the subscription sends
  --event-grid-tenant ID, --event-grid-audience TEXT
                                     the tenant and application of the subscription's Entra token
  --event-grid-cloud NAME            of that tenant: ${[...eventGridClouds.keys()].join(' or ')};
                                     default ${defaultCloud}`

type Values = {
  readonly [flag in
    | 'event-grid-listen'
    | 'event-grid-secret-file'
    | 'event-grid-tenant'
    | 'event-grid-audience'
    | 'event-grid-cloud']?: string | undefined
}

/** `undefined` when no notices are to be taken. Throws for what is missing or too much. */
export function readEventGridFlags(values: Values): EventGridFlags | undefined {
  const listen = values['event-grid-listen']
  if (listen !== undefined) {
    return { listen: parseAddress('--event-grid-listen', listen), sender: sender(values) }
  }
  const flag = Object.keys(values).find((name) => name.startsWith('event-grid-'))
  if (flag === undefined) return undefined
  throw new Error(`--${flag} does nothing without --event-grid-listen`)
}

function sender(values: Values): EventGridFlags['sender'] {
  const file = values['event-grid-secret-file']
  const tenant = values['event-grid-tenant']
  const audience = values['event-grid-audience']
  const cloudName = values['event-grid-cloud'] ?? defaultCloud
  if (file !== undefined && tenant === undefined && audience === undefined) {
    return { kind: 'secret', file }
  }
  if (file !== undefined || tenant === undefined || audience === undefined) {
    throw new Error(
      '--event-grid-listen needs either --event-grid-secret-file, or --event-grid-tenant and ' +
        '--event-grid-audience',
    )
  }
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(tenant)) {
    throw new Error(`--event-grid-tenant: "${tenant}" is no tenant id, which is a GUID`)
  }
  const cloud = eventGridClouds.get(cloudName)
  if (cloud === undefined) {
    const known = [...eventGridClouds.keys()].join(', ')
    throw new Error(`--event-grid-cloud: "${cloudName}" is none of ${known}`)
  }
  return { kind: 'entra', cloud, tenantId: tenant.toLowerCase(), audience }
}
