/** JSON as the contract allows it: strict UTF-8, RFC 8259, no duplicate keys, bounded depth. */
package dev.twinrank.core.internal.json;
