import assert from 'node:assert/strict'
import { constants, createPublicKey, generateKeyPairSync, hash, verify } from 'node:crypto'
import { describe, test } from 'node:test'
import { digestSigner, signatureAlgorithms } from '../../src/devvault/sign_digest.ts'

const message = Buffer.from('to be signed')

const keys = [
  { name: 'RSA-2048', kty: 'RSA', pair: generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  { name: 'RSA-3072', kty: 'RSA', pair: generateKeyPairSync('rsa', { modulusLength: 3072 }) },
  { name: 'P-256', crv: 'P-256', pair: generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  { name: 'P-384', crv: 'P-384', pair: generateKeyPairSync('ec', { namedCurve: 'P-384' }) },
  { name: 'P-521', crv: 'P-521', pair: generateKeyPairSync('ec', { namedCurve: 'P-521' }) },
]

const signatureLengths = new Map([
  ['RSA-2048', 256],
  ['RSA-3072', 384],
  ['P-256', 64],
  ['P-384', 96],
  ['P-521', 132],
])

describe('a digest is signed so that OpenSSL verifies the message', () => {
  for (const [alg, algorithm] of signatureAlgorithms) {
    const fitting = keys.filter((key) =>
      algorithm.kty === 'RSA' ? key.kty === 'RSA' : key.crv === algorithm.crv,
    )
    for (const { name, pair } of fitting) {
      test(`${alg} with ${name}`, () => {
        const sign = digestSigner(pair.privateKey.export({ format: 'jwk' }))
        const publicKey = createPublicKey(pair.privateKey)
        // Numbers with leading zeros are the classic mistake; enough rounds meet some.
        for (let round = 0; round < (algorithm.kty === 'EC' ? 60 : 3); round += 1) {
          const text = Buffer.concat([message, Buffer.of(round)])
          const signature = sign(algorithm, hash(algorithm.hash, text, 'buffer'))
          assert.equal(signature.length, signatureLengths.get(name))
          const padding =
            algorithm.scheme === 'pss'
              ? constants.RSA_PKCS1_PSS_PADDING
              : constants.RSA_PKCS1_PADDING
          const options =
            algorithm.kty === 'EC'
              ? ({ key: publicKey, dsaEncoding: 'ieee-p1363' } as const)
              : { key: publicKey, padding, saltLength: algorithm.digestLength }
          assert.equal(verify(algorithm.hash, text, options, signature), true)
          assert.equal(verify(algorithm.hash, message, options, signature), false)
        }
      })
    }
  }
})
