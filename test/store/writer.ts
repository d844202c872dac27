/** Writes networks without end and tells its parent the id of each that is committed. */
import { Database } from '../../src/store/database.js';
import { network } from './fixtures.js';

const database = await Database.open(process.argv[2] as string);
for (;;) {
  const { id } = await network(database, 'written');
  process.send?.(id);
}
