/** Signatures: section 14 of the contract. */
package dev.twinrank.core.internal.signature;
