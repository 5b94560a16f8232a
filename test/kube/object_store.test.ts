import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOlder, ObjectStore } from '../../src/kube/object_store.ts'

const meta = (uid: string, resourceVersion: string, name = 'web') => ({
  uid,
  namespace: 'shop',
  name,
  resourceVersion,
})

test('an object is added, updated and deleted', () => {
  const store = new ObjectStore<string>()
  assert.deepEqual(store.put(meta('u1', '1'), 'a', 'watch'), [{ type: 'added', object: 'a' }])
  assert.deepEqual(store.put(meta('u1', '2'), 'b', 'watch'), [
    { type: 'updated', object: 'b', previous: 'a' },
  ])
  assert.deepEqual([store.get('u1'), store.byName('shop', 'web'), store.size], ['b', 'b', 1])
  assert.deepEqual(store.delete(meta('u1', '3')), [{ type: 'deleted', object: 'b' }])
  assert.deepEqual([...store.values(), store.byName('shop', 'web')], [undefined])
})

test('the same name with a new UID is a deletion and an addition', () => {
  const store = new ObjectStore<string>()
  store.put(meta('u1', '1'), 'a', 'watch')
  assert.deepEqual(store.put(meta('u2', '2'), 'b', 'list'), [
    { type: 'deleted', object: 'a' },
    { type: 'added', object: 'b' },
  ])
  assert.deepEqual(store.delete(meta('u1', '3')), [], 'the late deletion of the old one')
  assert.equal(store.byName('shop', 'web'), 'b')
})

test('a watch never replaces newer by older, a list does', () => {
  const store = new ObjectStore<string>()
  store.put(meta('u1', '10'), 'new', 'watch')
  assert.deepEqual(store.put(meta('u1', '9'), 'old', 'watch'), [])
  assert.deepEqual(store.put(meta('u1', '10'), 'same', 'watch'), [])
  assert.equal(store.get('u1'), 'new')
  assert.equal(store.put(meta('u1', '9'), 'restored', 'list').length, 1)
  assert.equal(store.get('u1'), 'restored')
})

test('an object that is no longer one to keep is gone', () => {
  const store = new ObjectStore<string>()
  assert.deepEqual(store.put(meta('u1', '1'), undefined, 'list'), [])
  store.put(meta('u1', '2'), 'a', 'watch')
  assert.deepEqual(store.put(meta('u1', '3'), undefined, 'watch'), [
    { type: 'deleted', object: 'a' },
  ])
})

test('what a list does not hold is gone', () => {
  const store = new ObjectStore<string>()
  store.put(meta('u1', '1', 'a'), 'a', 'list')
  store.put(meta('u2', '2', 'b'), 'b', 'list')
  assert.deepEqual(store.retain(new Set(['u2'])), [{ type: 'deleted', object: 'a' }])
  assert.deepEqual([...store.values()], ['b'])
})

const orders: ReadonlyArray<[string, string, boolean]> = [
  ['9', '10', true],
  ['10', '9', false],
  ['10', '10', false],
  ['18446744073709551616', '18446744073709551617', true],
  ['abc', '10', false],
  ['9', 'b10', false],
  ['09', '10', false],
]
for (const [a, b, older] of orders) {
  test(`resource version ${a} is ${older ? '' : 'not known to be '}older than ${b}`, () => {
    assert.equal(isOlder(a, b), older)
  })
}
