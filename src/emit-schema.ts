import { writeFile } from 'node:fs/promises';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { createSchema } from './resolvers/schema.js';

/** The schema as text, sorted, so that it changes only where the API does. */
export async function schemaText(): Promise<string> {
  return `# Written by \`npm run schema\`; do not edit.\n\n${printSchema(lexicographicSortSchema(await createSchema()))}\n`;
}

await writeFile('schema.graphql', await schemaText());
