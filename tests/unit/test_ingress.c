/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ingress.c - whose is what comes in by an interface, as sockets are told: rules and
 * interfaces in, tenants and views out, through the plan's encoding as between processes.
 */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "plan/plan.h"
#include "plan/tenants.h"
#include "xdp/ingress.h"

#define IPV4(a, b, c, d)                                     \
	{                                                    \
		[10] = 0xff, [11] = 0xff, (a), (b), (c), (d) \
	}
#define IPV4_BITS(bits) (96 + (bits))

/* ---- a machine ---- */

enum {
	LO = 1,
	ETH0,
	ETH0_10,
	ETH0_20,
	ETH0_20_5,
	ETH0_30,
	ETH0_NO_ID,
	POD1,
	POD2,
	BR0,
	BR1,
	PORT1,
	PORT2,
	PORT3,
	VRF,
	MACVLAN,
	IPVLAN,
	ETH0_20_5_6,
};

static const struct iface ifaces[] = {
	{ .ifindex = LO, .name = "lo", .loopback = true },
	{ .ifindex = ETH0, .name = "eth0", .mac = { 2, [5] = 1 } },
	{ .ifindex = ETH0_10,
	  .name = "eth0.10",
	  .kind = "vlan",
	  .lower = ETH0,
	  .vlan = 10 },
	{ .ifindex = ETH0_20,
	  .name = "eth0.20",
	  .kind = "vlan",
	  .lower = ETH0,
	  .vlan = 20 },
	{ .ifindex = ETH0_20_5,
	  .name = "eth0.20.5",
	  .kind = "vlan",
	  .lower = ETH0_20,
	  .vlan = 5 },
	{ .ifindex = ETH0_30,
	  .name = "eth0.30",
	  .kind = "vlan",
	  .lower = ETH0,
	  .vlan = 30 },
	{ .ifindex = ETH0_NO_ID, .name = "odd", .kind = "vlan", .lower = ETH0 },
	{ .ifindex = POD1, .name = "pod1", .kind = "veth" },
	{ .ifindex = POD2, .name = "pod2", .kind = "veth" },
	{ .ifindex = BR0, .name = "br0", .kind = "bridge" },
	{ .ifindex = BR1, .name = "br1", .kind = "bridge", .sorts_vlans = true },
	{ .ifindex = PORT1, .name = "port1", .kind = "veth", .master = BR0 },
	{ .ifindex = PORT2, .name = "port2", .kind = "veth", .master = BR0 },
	{ .ifindex = PORT3, .name = "port3", .kind = "veth", .master = BR1 },
	{ .ifindex = VRF, .name = "vrf1", .kind = "vrf" },
	{ .ifindex = MACVLAN,
	  .name = "mv0",
	  .kind = "macvlan",
	  .lower = POD1,
	  .mac = { 2, [5] = 9 },
	  .master = VRF },
	{ .ifindex = IPVLAN, .name = "iv0", .kind = "ipvlan", .lower = POD1 },
	{ .ifindex = ETH0_20_5_6,
	  .name = "deep",
	  .kind = "vlan",
	  .lower = ETH0_20_5,
	  .vlan = 6 },
};

static const struct xdp_prefix all[] = { { { 0 }, 0 } };
static const struct xdp_prefix ten[] = { { IPV4(10, 0, 0, 0), IPV4_BITS(8) } };
static const struct xdp_prefix ten_one[] = {
	{ { 0xfd, 1 }, 16 },
	{ IPV4(10, 1, 0, 0), IPV4_BITS(15) },
};

/* Tenant 0 is everybody else. */
static const struct xdp_rule rules[] = {
	{ .pattern = "eth*" },
	{ .pattern = "eth0", .vlan = 10, .tenant = 110 },
	{ .pattern = "eth0", .vlan = 10, .from = ten, .from_count = 1, .tenant = 111 },
	{ .pattern = "eth0", .vlan = 20, .from = ten, .from_count = 1, .tenant = 120 },
	{ .pattern = "eth0", .vlan = 20, .vlan_inner = 5, .tenant = 125 },
	{ .pattern = "pod1", .from = all, .from_count = 1, .tenant = 1 },
	{ .pattern = "pod2", .from = ten, .from_count = 1, .tenant = 2 },
	{ .pattern = "pod2", .from = ten_one, .from_count = 2, .tenant = 3 },
	{ .pattern = "pod2", .from = ten, .from_count = 1, .tenant = 4 }, /* too late */
	{ .pattern = "port1", .from = ten, .from_count = 1, .tenant = 5 },
	{ .pattern = "br0", .from = ten_one, .from_count = 2, .tenant = 6 },
	{ .pattern = "port3", .vlan = 40, .tenant = 7 },
	{ .pattern = "iv0", .from = all, .from_count = 1, .tenant = 8 },
	{ .pattern = "mv0", .hijack = true, .view = 99 },
};

/* Views are numbered as their tenants, and 1,000 on a port of their own. */
static struct plan_listener listeners[] = {
	{ { IPV4(10, 9, 9, 9), 53 }, 1, 1 },
	{ { { 0 }, 53 }, 0, 100 },
	{ { IPV4(10, 9, 9, 9), 1053 }, 1, 1001 },
	{ { { 0 }, 53 }, 2, 2 },
	{ { IPV4(10, 9, 9, 9), 53 }, 3, 3 },
	{ { { 0 }, 53 }, 5, 5 },
	{ { { 0 }, 53 }, 6, 6 },
	{ { { 0 }, 53 }, 110, 110 },
	{ { { 0 }, 53 }, 111, 111 },
	{ { { 0 }, 53 }, 120, 120 },
	{ { { 0 }, 53 }, 125, 125 },
	{ { { 0 }, 53 }, 8, 8 },
	{ { IPV4(0, 0, 0, 0), 1053 }, 0, 1000 },
};

static struct plan_view views[] = {
	{ .id = 1 },   { .id = 2 },   { .id = 3 },    { .id = 5 },    { .id = 6 },
	{ .id = 8 },   { .id = 100 }, { .id = 110 },  { .id = 111 },  { .id = 120 },
	{ .id = 125 }, { .id = 99 },  { .id = 1000 }, { .id = 1001 },
};

static const struct {
	const char *name;
	uint32_t ifindex;
	uint8_t source[16], local[16];
	uint16_t port; /* 0: 53 */
	enum tenants_result result;
	uint32_t tenant, view;
} cases[] = {
	/* clang-format off: one case a line */
	{ "no rule", LO, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 9), 0, TENANTS_FOUND, 0,
	  100 },
	{ "a rule without a tenant", ETH0, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 0, 100 },
	{ "from anywhere", POD1, IPV4(192, 0, 2, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 1, 1 },
	{ "from anywhere, IPv6",
	  POD1,
	  { 0xfd, 9 },
	  IPV4(10, 9, 9, 9),
	  0,
	  TENANTS_FOUND,
	  1,
	  1 },
	{ "another port", POD1, IPV4(192, 0, 2, 1), IPV4(10, 9, 9, 9), 1053,
	  TENANTS_FOUND, 1, 1001 },
	{ "an address where it is not served", POD1, IPV4(192, 0, 2, 1),
	  IPV4(10, 9, 9, 8), 0, TENANTS_FOUND, 1, 0 },
	{ "this machine, at the tenant's address", POD1, IPV4(10, 9, 9, 9),
	  IPV4(10, 9, 9, 9), 0, TENANTS_FOUND, 0, 100 },
	{ "a prefix", POD2, IPV4(10, 200, 0, 1), IPV4(10, 9, 9, 9), 0, TENANTS_FOUND, 2,
	  2 },
	{ "the longer prefix", POD2, IPV4(10, 1, 0, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 3, 3 },
	{ "its last address", POD2, IPV4(10, 1, 255, 255), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 3, 3 },
	{ "beside it", POD2, IPV4(10, 2, 0, 0), IPV4(10, 9, 9, 9), 0, TENANTS_FOUND, 2,
	  2 },
	{ "its IPv6",
	  POD2,
	  { 0xfd, 1, [15] = 1 },
	  IPV4(10, 9, 9, 9),
	  0,
	  TENANTS_FOUND,
	  3,
	  3 },
	{ "beside all prefixes", POD2, IPV4(11, 1, 0, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 0, 100 },
	{ "0.0.0.0 is IPv4's", ETH0, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 8), 1053,
	  TENANTS_FOUND, 0, 1000 },
	{ "and not IPv6's", ETH0, { 0xfd, 1 }, { 0xfd, 2 }, 1053, TENANTS_FOUND, 0, 0 },
	{ "a VLAN", ETH0_10, IPV4(192, 0, 2, 1), IPV4(10, 9, 9, 9), 0, TENANTS_FOUND,
	  110, 110 },
	{ "a VLAN and a prefix", ETH0_10, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 111, 111 },
	{ "the same prefix in another VLAN", ETH0_20, IPV4(10, 0, 0, 1),
	  IPV4(10, 9, 9, 9), 0, TENANTS_FOUND, 120, 120 },
	{ "beside it there", ETH0_20, IPV4(192, 0, 2, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 0, 100 },
	{ "two tags", ETH0_20_5, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 9), 0, TENANTS_FOUND,
	  125, 125 },
	{ "three tags are nobody's", ETH0_20_5_6, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 9),
	  0, TENANTS_FOUND, 0, 100 },
	{ "a VLAN without a rule", ETH0_30, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 0, 100 },
	{ "a VLAN whose ID is not told", ETH0_NO_ID, IPV4(10, 0, 0, 1),
	  IPV4(10, 9, 9, 9), 0, TENANTS_UNKNOWN, 0, 0 },
	{ "a bridge: port1's tenant, or not", BR0, IPV4(10, 9, 0, 1), IPV4(10, 9, 9, 9),
	  0, TENANTS_DOUBTFUL, 0, 0 },
	{ "a bridge: port1's, or its own", BR0, IPV4(10, 1, 0, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_DOUBTFUL, 0, 0 },
	{ "a bridge: nobody's by any port", BR0, IPV4(192, 0, 2, 1), IPV4(10, 9, 9, 9),
	  0, TENANTS_FOUND, 0, 100 },
	{ "a bridge that sorts VLANs", BR1, IPV4(192, 0, 2, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_DOUBTFUL, 0, 0 },
	{ "another MAC than what it stands on: its own rule", MACVLAN,
	  IPV4(192, 0, 2, 1), IPV4(10, 9, 9, 9), 0, TENANTS_FOUND, 0, 100 },
	{ "hijacked: any address",
	  MACVLAN,
	  IPV4(192, 0, 2, 1),
	  { 0xfd, 7 },
	  0,
	  TENANTS_FOUND,
	  0,
	  100 },
	{ "hijacked: only port 53",
	  MACVLAN,
	  IPV4(192, 0, 2, 1),
	  { 0xfd, 7 },
	  5353,
	  TENANTS_FOUND,
	  0,
	  0 },
	{ "a VRF: its port's", VRF, IPV4(192, 0, 2, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_FOUND, 0, 100 },
	{ "the same MAC: what it stands on", IPVLAN, IPV4(192, 0, 2, 1),
	  IPV4(10, 9, 9, 9), 0, TENANTS_FOUND, 1, 1 },
	{ "an interface that is not there", 77, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_UNKNOWN, 0, 0 },
	{ "an interface that was not told", 0, IPV4(10, 0, 0, 1), IPV4(10, 9, 9, 9), 0,
	  TENANTS_UNKNOWN, 0, 0 },
	/* clang-format on */
};

/* A plan with @listeners, through its encoding. */
static struct plan *make(const struct ingress_inputs *inputs)
{
	struct plan *plan = calloc(1, sizeof(*plan)), *decoded = NULL;
	char *text;

	plan->listeners = listeners;
	plan->listener_count = ARRAY_LEN(listeners);
	plan->views = views;
	plan->view_count = ARRAY_LEN(views);
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		views[i].name = (char *)"some";
	CU_ASSERT_EQUAL(ingress_build(plan, inputs), 0);
	text = plan_encode(plan);
	CU_ASSERT_EQUAL(plan_decode(&decoded, text, strlen(text)), 0);
	free(text);
	plan->listeners = NULL;
	plan->views = NULL;
	plan_free(plan);
	return decoded;
}

static void tenants_by_interface(void)
{
	const struct ingress_inputs inputs = { rules, ARRAY_LEN(rules), ifaces,
					       ARRAY_LEN(ifaces) };
	struct plan *plan = make(&inputs);
	struct tenants *tenants;

	CU_ASSERT_EQUAL(plan->ingress_count, ARRAY_LEN(ifaces));
	CU_ASSERT_EQUAL_FATAL(tenants_make(&tenants, plan), 0);
	plan_free(plan);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct tenants_query query = { cases[i].ifindex, cases[i].source,
						     cases[i].local,
						     cases[i].port ? cases[i].port
								   : 53 };
		enum tenants_result result;
		uint32_t tenant, view;

		result = tenants_find(tenants, &query, &tenant, &view);
		if (result != cases[i].result || tenant != cases[i].tenant ||
		    view != cases[i].view)
			printf("\n    %s: result %d tenant %u view %u", cases[i].name,
			       result, tenant, view);
		CU_ASSERT_EQUAL(result, cases[i].result);
		CU_ASSERT_EQUAL(tenant, cases[i].tenant);
		CU_ASSERT_EQUAL(view, cases[i].view);
	}
	tenants_free(tenants);
}

/* A listener that any tenant has at no address of its own: the scope's view. */
static void hijacked_where_nobody_listens(void)
{
	const struct ingress_inputs inputs = { rules, ARRAY_LEN(rules), ifaces,
					       ARRAY_LEN(ifaces) };
	static const uint8_t source[16] = IPV4(192, 0, 2, 1), local[16] = { 0xfd, 7 };
	const struct tenants_query query = { MACVLAN, source, local, 53 };
	struct plan *plan = make(&inputs);
	struct tenants *tenants;
	uint32_t tenant, view;

	plan->listener_count = 1;
	CU_ASSERT_EQUAL_FATAL(tenants_make(&tenants, plan), 0);
	CU_ASSERT_EQUAL(tenants_find(tenants, &query, &tenant, &view), TENANTS_FOUND);
	CU_ASSERT_EQUAL(view, 99);
	tenants_free(tenants);
	plan_free(plan);
}

static void without_tenants_nothing_is_told(void)
{
	const struct ingress_inputs inputs = { rules, 1, ifaces, ARRAY_LEN(ifaces) };
	struct plan plan = { .listeners = &listeners[1], .listener_count = 1 };
	struct tenants *tenants;

	CU_ASSERT_EQUAL(ingress_build(&plan, &inputs), 0);
	CU_ASSERT_EQUAL(plan.ingress_count, 0);
	CU_ASSERT_EQUAL(plan.scope_count, 0);
	CU_ASSERT_EQUAL(tenants_make(&tenants, &plan), 0);
	CU_ASSERT_PTR_NULL(tenants);
}

/* What XDP may answer itself, where interfaces stand on one another. */
static void only_its_own(void)
{
	static const struct {
		const char *name;
		unsigned iface; /* of ifaces */
		uint16_t vlan;
		bool own;
	} asked[] = {
		{ "where the frame comes in", ETH0, 0, true },
		{ "a VLAN there", ETH0, 10, true },
		{ "no rule for it", ETH0, 30, false },
		{ "a VLAN device whose tag eth0's rules name", ETH0_10, 0, false },
		{ "one whose tag they do not", ETH0_30, 0, true },
		{ "a bridge with a tenant's port", BR0, 0, false },
		{ "that port", PORT1, 0, true },
	};
	const struct ingress_inputs inputs = { rules, ARRAY_LEN(rules), ifaces,
					       ARRAY_LEN(ifaces) };

	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		const struct iface *iface = &ifaces[asked[i].iface - 1];
		bool own = ingress_is_own(&inputs, iface, asked[i].vlan, 0);

		if (own != asked[i].own)
			printf("\n    %s", asked[i].name);
		CU_ASSERT_EQUAL(own, asked[i].own);
	}
}

static void a_bridge_of_one_mind(void)
{
	static const struct xdp_rule shared[] = {
		{ .pattern = "port*", .from = ten, .from_count = 1, .tenant = 5 },
		{ .pattern = "br0", .from = ten, .from_count = 1, .tenant = 5 },
	};
	static const uint8_t source[16] = IPV4(10, 0, 0, 1),
			     local[16] = IPV4(1, 2, 3, 4);
	const struct tenants_query query = { BR0, source, local, 53 };
	struct ingress_inputs inputs = { shared, ARRAY_LEN(shared), ifaces,
					 ARRAY_LEN(ifaces) };
	struct plan *plan = make(&inputs);
	struct tenants *tenants;
	uint32_t tenant, view;

	CU_ASSERT_EQUAL_FATAL(tenants_make(&tenants, plan), 0);
	CU_ASSERT_EQUAL(tenants_find(tenants, &query, &tenant, &view), TENANTS_FOUND);
	CU_ASSERT_EQUAL(tenant, 5);
	CU_ASSERT_EQUAL(view, 5);
	CU_ASSERT_TRUE(ingress_is_own(&inputs, &ifaces[BR0 - 1], 0, 0));
	tenants_free(tenants);
	plan_free(plan);
}

static const struct check_case all_cases[] = {
	{ "tenants by interface", tenants_by_interface },
	{ "hijacked where nobody listens", hijacked_where_nobody_listens },
	{ "without tenants nothing is told", without_tenants_nothing_is_told },
	{ "only its own", only_its_own },
	{ "a bridge of one mind", a_bridge_of_one_mind },
};

CHECK_MAIN("ingress", all_cases)
