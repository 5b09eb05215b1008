/** Requests from JSON: section 6 of the contract. */
package dev.twinrank.core.internal.request;
